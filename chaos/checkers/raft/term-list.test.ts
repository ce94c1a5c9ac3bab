import { expect, test } from 'vitest'
import { Prng } from '../../prng.ts'
import { TermList } from './term-list.ts'

test('a list of terms says what a map would', () => {
  const prng = new Prng('terms')
  for (let round = 0; round < 50; round++) {
    let list = new TermList()
    const map = new Map<number, number>()
    for (let step = 0; step < 200; step++) {
      const index = prng.below(40)
      const what = prng.below(20)
      if (what < 12) {
        list.set(index, step)
        map.set(index, step)
      } else if (what < 18) {
        list.delete(index)
        map.delete(index)
      } else if (what === 18) {
        list.clear()
        map.clear()
      } else list = list.copy()
      for (let at = 0; at < 41; at++) expect(list.get(at)).toBe(map.get(at))
    }
  }
})
