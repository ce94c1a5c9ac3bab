import { PeerProtocolError } from '#cluster'
import { describe, expect, test } from 'vitest'
import { decodeHashPoint, type HashPoint, StateAudit } from './state-audit.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function audit(voters: readonly string[], hash: string) {
  const reported: HashPoint[] = []
  const diverged: HashPoint[] = []
  const one = new StateAudit({
    logger: silent,
    self: 'a',
    everyEntries: 10,
    voters: () => voters,
    stateHash: () => hash,
    report: (point) => reported.push(point),
    onDiverged: (point) => diverged.push(point),
  })
  return { one, reported, diverged }
}

describe('state audit', () => {
  test('[K5] a hash is told at the agreed indexes only', () => {
    const { one, reported } = audit(['a', 'b', 'c'], 'x')
    for (let index = 1; index <= 20; index++) one.applied(index)
    expect(reported).toEqual([
      { index: 10, hash: 'x' },
      { index: 20, hash: 'x' },
    ])
  })

  test('[K5] who stands against a majority that agrees is told so', () => {
    const { one, diverged } = audit(['a', 'b', 'c'], 'x')
    one.received('b', { index: 10, hash: 'y' })
    one.applied(10)
    expect(diverged).toEqual([])
    one.received('c', { index: 10, hash: 'y' })
    expect(diverged).toEqual([{ index: 10, hash: 'x' }])
  })

  test('[K5] who stands with the majority, or without one, goes on and the difference is counted', () => {
    const { one, diverged } = audit(['a', 'b', 'c', 'd'], 'x')
    one.applied(10)
    one.received('b', { index: 10, hash: 'x' })
    expect(one.divergences).toBe(0)
    one.received('c', { index: 10, hash: 'y' })
    one.received('d', { index: 10, hash: 'y' })
    expect(diverged).toEqual([])
    expect(one.divergences).toBe(2)
  })

  test('[K5] what nodes beyond the voters say counts for nothing', () => {
    const { one, diverged } = audit(['a', 'b', 'c'], 'x')
    one.applied(10)
    for (const stranger of ['p', 'q', 'r']) one.received(stranger, { index: 10, hash: 'y' })
    expect(diverged).toEqual([])
    expect(one.divergences).toBe(0)
  })

  test('[K5] only the newest points are kept, however many a peer sends', () => {
    const { one, diverged } = audit(['a', 'b', 'c'], 'x')
    one.applied(10)
    for (let index = 20; index <= 2_000; index += 10) one.received('b', { index, hash: 'y' })
    one.received('b', { index: 10, hash: 'y' })
    one.received('c', { index: 10, hash: 'y' })
    expect(diverged).toEqual([])
  })

  test('[PF1] a report of another shape is refused, as are an index of nothing and a hash without end', () => {
    const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
    const point = { index: 10, hash: 'x' }
    expect(decodeHashPoint(bytes(point))).toEqual(point)
    const wrong = [null, [point], { index: 10 }, { ...point, index: 0 }, { ...point, index: '10' }]
    for (const value of [...wrong, { ...point, hash: 'x'.repeat(129) }]) {
      expect(() => decodeHashPoint(bytes(value))).toThrow(PeerProtocolError)
    }
  })
})
