import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PendingWrites } from './pending-writes.ts'

describe('[A6] writes that wait for a result', () => {
  test('are found by number and kept in order, as a map would', () => {
    const step = fc.oneof(fc.constant(-1), fc.nat(200))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const writes = new PendingWrites<{ number: number }>()
        const model = new Map<number, { number: number }>()
        for (const step of steps) {
          if (step < 0 || !model.has(step)) {
            const write = { number: writes.nextNumber }
            writes.push(write)
            model.set(write.number, write)
          } else {
            writes.delete(step)
            model.delete(step)
          }
          expect(writes.size).toBe(model.size)
          expect(writes.get(step)).toBe(model.get(step))
        }
        expect([...writes]).toEqual([...model.values()])
      }),
    )
  })

  test('a settled one at the front frees its place, one behind the oldest does not', () => {
    const writes = new PendingWrites<string>()
    for (const write of ['a', 'b', 'c']) writes.push(write)
    writes.delete(2)
    expect([writes.span, writes.size, [...writes]]).toEqual([3, 2, ['a', 'c']])
    writes.delete(1)
    expect([writes.span, writes.size, [...writes]]).toEqual([1, 1, ['c']])
    expect(() => writes.delete(1)).toThrow('write 1 does not wait')
    expect(writes.get(0)).toBeUndefined()
    expect(writes.get(4)).toBeUndefined()
  })

  test('what comes and goes while it is walked is neither walked twice nor missed', () => {
    const writes = new PendingWrites<string>()
    for (const write of ['a', 'b', 'c']) writes.push(write)
    const seen: string[] = []
    for (const write of writes) {
      seen.push(write)
      if (write === 'a') {
        writes.delete(1)
        writes.delete(2)
        writes.push('d')
      }
    }
    expect(seen).toEqual(['a', 'c'])
    expect([...writes]).toEqual(['c', 'd'])
  })
})
