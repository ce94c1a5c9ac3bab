import { describe, expect, test } from 'vitest'
import { type HeldLog, mayForget, mayHurt } from './survivable.ts'

const whole = () => ({ isHurt: false })
const hurt = () => ({ isHurt: true })

describe('[K10] disks that may be hurt at one time', () => {
  test.each([
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 1],
    [5, 2],
    [7, 3],
  ])('of %i nodes %i', (nodes, most) => {
    const disks = Array.from({ length: nodes }, whole)
    for (let count = 0; count < nodes; count++) {
      const some = disks.map((disk, at) => (at < count ? hurt() : disk))
      expect(mayHurt(some, some.at(-1)!)).toBe(count < most)
    }
  })

  test('one that is hurt already may be hurt again', () => {
    const disks = [hurt(), whole(), whole()]
    expect(mayHurt(disks, disks[0]!)).toBe(true)
    expect(mayHurt(disks, disks[1]!)).toBe(false)
  })

  test('one that was replaced counts no more', () => {
    const disks = [whole(), whole(), whole()]
    expect(mayHurt(disks, disks[1]!)).toBe(true)
  })
})

describe('[K10] what a disk may forget', () => {
  const held = (raftId: string, lastIndex: number, over: Partial<HeldLog> = {}): HeldLog => ({
    ...{ raftId, term: 3, vote: 'a', lastIndex, snapshotIndex: 0 },
    termAt: (index) => (index <= lastIndex ? 2 : null),
    ...over,
  })
  const voters = ['a', 'b', 'c']

  test('entries that a majority holds without it', () => {
    const others = [held('a', 9), held('c', 8)]
    expect(mayForget(held('b', 8), held('b', 1), others, voters)).toBe(true)
    expect(mayForget(held('b', 9), held('b', 1), others, voters)).toBe(false)
  })

  test('not if the others hold other entries there, but if a snapshot covers them', () => {
    const other = held('c', 9, { termAt: () => 1 })
    expect(mayForget(held('b', 8), held('b', 1), [held('a', 9), other], voters)).toBe(false)
    const covered = held('c', 9, { termAt: () => null, snapshotIndex: 8 })
    expect(mayForget(held('b', 8), held('b', 1), [held('a', 9), covered], voters)).toBe(true)
  })

  test('nothing that only learners hold', () => {
    const others = [held('a', 9), held('d', 9)]
    expect(mayForget(held('b', 8), held('b', 1), others, voters)).toBe(false)
  })

  test('never a term, a vote or its id', () => {
    const others = [held('a', 9), held('c', 9)]
    const now = held('b', 8)
    expect(mayForget(now, held('b', 1, { term: 2 }), others, voters)).toBe(false)
    expect(mayForget(now, held('b', 1, { vote: '' }), others, voters)).toBe(false)
    expect(mayForget(now, held('e', 1), others, voters)).toBe(false)
  })
})
