import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quorumIndex, quorumVote, type Quorum } from './quorum.ts'

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }).map(String), { maxLength: 7 })
const quorums = fc.record({ voters: ids, outgoing: ids })

/** By the definition: the greatest index that more than half of each half has reached. */
function naiveIndex(quorum: Quorum, valueOf: (id: string) => number): number {
  const reached = (half: readonly string[], index: number) =>
    half.length === 0 || half.filter((id) => valueOf(id) >= index).length * 2 > half.length
  if (quorum.voters.length + quorum.outgoing.length === 0) return Infinity
  let index = 0
  while (reached(quorum.voters, index + 1) && reached(quorum.outgoing, index + 1)) index++
  return index
}

/** By the definition: try every way in which those who have not voted could. */
function naiveVote(quorum: Quorum, votes: Map<string, boolean>): string {
  const all = [...new Set([...quorum.voters, ...quorum.outgoing])]
  const open = all.filter((id) => !votes.has(id))
  const won = (granted: (id: string) => boolean) =>
    [quorum.voters, quorum.outgoing].every(
      (half) => half.length === 0 || half.filter(granted).length * 2 > half.length,
    )
  if (won((id) => votes.get(id) === true)) return 'won'
  return won((id) => votes.get(id) ?? open.includes(id)) ? 'pending' : 'lost'
}

describe('quorum of acknowledgements', () => {
  test('[CM1] examples', () => {
    const values = new Map([
      ['1', 5],
      ['2', 3],
      ['3', 9],
    ])
    const of = (id: string) => values.get(id) ?? 0
    expect(quorumIndex({ voters: ['1', '2', '3'], outgoing: [] }, of)).toBe(5)
    expect(quorumIndex({ voters: ['1', '2'], outgoing: [] }, of)).toBe(3)
    expect(quorumIndex({ voters: ['1', '2', '3', '4'], outgoing: [] }, of)).toBe(3)
    expect(quorumIndex({ voters: ['3'], outgoing: ['2'] }, of)).toBe(3)
    expect(quorumIndex({ voters: [], outgoing: [] }, of)).toBe(Infinity)
  })

  test('[CM1] agrees with the definition', () => {
    const values = fc.dictionary(fc.integer({ min: 1, max: 9 }).map(String), fc.nat(6))
    fc.assert(
      fc.property(quorums, values, (quorum, known) => {
        const of = (id: string) => known[id] ?? 0
        expect(quorumIndex(quorum, of)).toBe(naiveIndex(quorum, of))
      }),
    )
  })
})

describe('quorum of votes', () => {
  test('[EL1] agrees with the definition', () => {
    const votes = fc.dictionary(fc.integer({ min: 1, max: 9 }).map(String), fc.boolean())
    fc.assert(
      fc.property(quorums, votes, (quorum, given) => {
        const cast = new Map(Object.entries(given))
        expect(quorumVote(quorum, (id) => cast.get(id))).toBe(naiveVote(quorum, cast))
      }),
    )
  })

  test('[MB2] majorities of two configurations that differ by one voter meet', () => {
    const groups = fc.uniqueArray(fc.nat(8).map(String), { minLength: 2, maxLength: 8 })
    fc.assert(
      fc.property(groups, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (group, side) => {
        const larger: Quorum = { voters: group, outgoing: [] }
        const smaller: Quorum = { voters: group.slice(1), outgoing: [] }
        const ayes = (id: string) => side[group.indexOf(id)]
        const noes = (id: string) => !side[group.indexOf(id)]
        const both = quorumVote(larger, ayes) === 'won' && quorumVote(smaller, noes) === 'won'
        expect(both).toBe(false)
      }),
    )
  })
})
