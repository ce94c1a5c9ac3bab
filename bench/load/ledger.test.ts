import { expect, test } from 'vitest'
import { faultsIn, Ledger, messageIdOf } from './ledger.ts'

/** A conversation of which 0, 1, 2 were acknowledged as 1, 2, 3; 3 is unknown, and 4 was refused. */
function ledger(): Ledger {
  const made = new Ledger(2)
  for (let n = 0; n < 5; n++) expect(made.next(0).n).toBe(n)
  for (const n of [0, 1, 2]) made.acknowledged(0, n, { conv: 'd_1', seq: n + 1 })
  made.unknown(0, 3)
  made.refused(0, 4)
  return made
}

function verdict(...stored: readonly [n: number, seq: number][]) {
  const judge = ledger().judge(0)
  for (const [n, seq] of stored) judge.take({ seq, msgId: messageIdOf(0, n), isWhole: true })
  return judge.verdict()
}

test('what is stored as it was acknowledged is well, whatever became of the unknown', () => {
  const without = verdict([0, 1], [1, 2], [2, 3])
  expect(without).toMatchObject({ acknowledged: 3, unknownStored: 0, unknownAbsent: 1 })
  expect(faultsIn(without)).toBe(0)
  const withIt = verdict([0, 1], [1, 2], [2, 3], [3, 4])
  expect(withIt).toMatchObject({ unknownStored: 1, unknownAbsent: 0 })
  expect(faultsIn(withIt)).toBe(0)
})

test.each([
  [
    'lost',
    [
      [0, 1],
      [2, 3],
    ],
    { lost: 1 },
  ],
  [
    'doubled',
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [1, 4],
    ],
    { doubled: 1 },
  ],
  [
    'at another place',
    [
      [0, 1],
      [1, 2],
      [2, 4],
    ],
    { disordered: 1 },
  ],
  [
    'refused and stored',
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [4, 4],
    ],
    { strange: 1 },
  ],
  [
    'never sent',
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [5, 4],
    ],
    { strange: 1 },
  ],
] as const)('%s is found', (_, stored, found) => {
  const verified = verdict(...stored.map(([n, seq]): [number, number] => [n, seq]))
  expect(verified).toMatchObject(found)
  expect(faultsIn(verified)).toBe(1)
})

test('an acknowledged order that is not that of sending is found', () => {
  const made = new Ledger(1)
  for (const seq of [2, 1]) made.acknowledged(0, made.next(0).n, { conv: 'd_1', seq })
  const judge = made.judge(0)
  judge.take({ seq: 1, msgId: '0.1', isWhole: true })
  judge.take({ seq: 2, msgId: '0.0', isWhole: true })
  expect(judge.verdict()).toMatchObject({ disordered: 1, lost: 0 })
})

test('another body is found, and what retention took is not called lost', () => {
  const judge = ledger().judge(0)
  judge.removed(1, 2)
  judge.take({ seq: 3, msgId: '0.2', isWhole: false })
  expect(judge.verdict()).toMatchObject({ strange: 1, lost: 1, removed: 2 })
})

test('a message names the newest one before it that has no answer', () => {
  const made = new Ledger(1)
  const prev = () => made.next(0).prev
  expect([prev(), prev(), prev()]).toEqual([null, 0, 1])
  made.acknowledged(0, 0, { conv: 'd_1', seq: 1 })
  made.refused(0, 2)
  expect(prev()).toBe(1)
  made.unknown(0, 1)
  made.acknowledged(0, 3, { conv: 'd_1', seq: 2 })
  expect(prev()).toBeNull()
  expect(() => made.unknown(0, 1)).toThrow('settled before')
})
