import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RouteRing } from './route-ring.ts'

const KEYS = Array.from({ length: 20_000 }, (_, i) => `user-${i}:user-${i * 7}`)
const node = fc.stringMatching(/^[0-9a-f]{16}$/)

test('[M-23] a node that leaves five moves only its own pairs, and at most 30 % of all', () => {
  fc.assert(
    fc.property(fc.uniqueArray(node, { minLength: 5, maxLength: 5 }), fc.nat(4), (nodes, at) => {
      const before = new RouteRing(nodes)
      const after = new RouteRing(nodes.filter((_, i) => i !== at))
      let moved = 0
      for (const key of KEYS) {
        const was = before.nodeOf(key)
        if (was === after.nodeOf(key)) continue
        expect(was).toBe(nodes[at])
        moved += 1
      }
      expect(moved).toBeGreaterThan(0)
      expect(moved / KEYS.length).toBeLessThanOrEqual(0.3)
    }),
    { numRuns: 20 },
  )
})

test('[SG1] the order in which the nodes are named means nothing', () => {
  const nodes = ['a1', 'b2', 'c3', 'd4']
  const [one, other] = [new RouteRing(nodes), new RouteRing(nodes.toReversed())]
  for (const key of KEYS.slice(0, 1_000)) expect(one.nodeOf(key)).toBe(other.nodeOf(key))
})

test('a ring without nodes has no route', () => {
  expect(new RouteRing([]).nodeOf('a')).toBeNull()
})
