import { expect, test } from 'vitest'
import { ClockHand } from './clock-hand.ts'

const objects = (names: string): Map<string, { name: string; used: boolean }> =>
  new Map(Array.from(names, (name) => [name, { name, used: false }]))

test('What was looked at since the hand last passed gets another round', () => {
  const map = objects('abcd')
  map.get('a')!.used = true
  const hand = new ClockHand(map)
  const sweepTo = (size: number) =>
    hand.sweep(
      () => map.size > size,
      ({ name }) => map.delete(name),
    )
  sweepTo(3)
  expect([...map.keys()]).toEqual(['a', 'c', 'd'])
  sweepTo(0)
  expect([...map.keys()]).toEqual([])
})

test('Where nothing may go a sweep ends after twice around', () => {
  const map = objects('abcd')
  for (const object of map.values()) object.used = true
  const hand = new ClockHand(map)
  for (let sweep = 1; sweep <= 3; sweep++) {
    let asked = 0
    hand.sweep(
      () => true,
      () => (asked += 1),
    )
    expect(asked).toBeGreaterThanOrEqual(map.size)
    expect(asked).toBeLessThanOrEqual(2 * map.size)
  }
})
