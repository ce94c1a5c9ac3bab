import { expect, test } from 'vitest'
import { Acknowledged } from './acknowledged.ts'

const place = (epoch: string, seq: number) => ({ epoch, conv: 'c', seq, msgId: `${epoch}${seq}` })

test('[IN17] an answer and its echo are one place', () => {
  const places = new Acknowledged()
  expect(places.add(place('e', 6))).toMatchObject({ seq: 6, number: 1 })
  expect(places.add(place('e', 6))).toBe(null)
  expect(places.add(place('e', 7))).toMatchObject({ seq: 7, number: 2 })
})

test('[IN17] what a restored cluster stores is kept before anybody has looked for what it lost', () => {
  const places = new Acknowledged()
  for (const seq of [6, 7]) places.add(place('e', seq))
  const lost = places.before('f')
  expect(places.add(place('f', 6))).toMatchObject({ epoch: 'f', seq: 6 })
  expect(places.before('f')).toEqual(lost)
  places.drop(lost)
  expect(places.before('g').map(({ msgId }) => msgId)).toEqual(['f6'])
})

test('[IN17] a place that took the slot of one that was looked for stays', () => {
  const places = new Acknowledged()
  places.add(place('e', 1))
  const lost = places.before('f')
  for (let seq = 1; seq <= 1000; seq++) places.add(place('f', seq))
  expect(places.drop(lost)).toEqual([])
  expect(places.before('g')).toHaveLength(1000)
})
