import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Inflights } from './inflights.ts'

describe('the window of messages under way', () => {
  test('[LR5] is full by messages or by bytes, and the message that fills it may pass the bytes', () => {
    const byCount = new Inflights(2, 1000)
    byCount.add(1, 1)
    expect(byCount.full).toBe(false)
    byCount.add(2, 1)
    expect(byCount.full).toBe(true)
    expect(() => byCount.add(3, 1)).toThrow('full window')

    const byBytes = new Inflights(100, 10)
    byBytes.add(1, 9)
    expect(byBytes.full).toBe(false)
    byBytes.add(2, 50)
    expect(byBytes.full).toBe(true)
    byBytes.freeTo(1)
    expect(byBytes.full).toBe(true)
    byBytes.freeTo(2)
    expect(byBytes.full).toBe(false)
  })

  test('[LR5] behaves as a plain list', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ add: fc.nat(40) }),
        fc.record({ freeBehind: fc.nat(5) }),
        fc.constant({ reset: true as const }),
      ),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9 }), fc.nat(100), (all, messages, bytes) => {
        const window = new Inflights(messages, bytes + 1)
        let list: { index: number; bytes: number }[] = []
        let index = 0
        for (const step of all) {
          if ('add' in step) {
            if (window.full) continue
            index += 3
            window.add(index, step.add)
            list.push({ index, bytes: step.add })
          } else if ('freeBehind' in step) {
            const to = index - step.freeBehind * 3
            window.freeTo(to)
            list = list.filter((one) => one.index > to)
          } else {
            window.reset()
            list = []
          }
          const sum = list.reduce((total, one) => total + one.bytes, 0)
          expect(window.count).toBe(list.length)
          expect(window.bytes).toBe(sum)
          expect(window.full).toBe(list.length >= messages || sum >= bytes + 1)
        }
      }),
    )
  })
})
