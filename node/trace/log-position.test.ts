import { EntryType, type Entry, type LogReader } from '#cluster'
import { expect, test } from 'vitest'
import { encodeBatch } from '../state-machine/batch-codec.ts'
import { encodeCommand } from '../state-machine/command-codec.ts'
import { CommandKind } from '../state-machine/commands.ts'
import { findInLog } from './find-in-log.ts'

const message = (msgId: string) =>
  encodeCommand({
    origin: 1,
    request: 1,
    kind: CommandKind.message,
    ...{ user: 'ann', device: 'd', msgId, prev: null, since: null },
    ...{ conv: 'c', to: null, replyTo: null, large: false, body: new Uint8Array([1]) },
  })

/** A log from index 5 on: two entries share each log time, every fourth one is a leader's empty one. */
function log(last: number, first = 5): { reader: LogReader; reads: () => number } {
  let reads = 0
  const entry = (index: number): Entry => ({
    ...{ index, term: Math.floor(index / 50) + 1, type: EntryType.normal },
    data:
      index % 4 === 0
        ? new Uint8Array(0)
        : encodeBatch({ logTime: 1_000 + Math.floor(index / 2), wallTime: 0 }, [
            message(`m${index}`),
            message(`n${index}`),
          ]),
  })
  const reader = {
    firstIndex: () => first,
    lastIndex: () => last,
    entries: (low: number) => {
      reads += 1
      return low >= first && low <= last ? [entry(low)] : null
    },
  } as unknown as LogReader
  return { reader, reads: () => reads }
}

const wanted = (index: number, letter = 'n') => ({
  ...{ logTime: 1_000 + Math.floor(index / 2), msgId: `${letter}${index}`, from: 'ann' },
})

test('[MT3] each write is found where the log has it, with few reads', () => {
  const { reader, reads } = log(5_000)
  for (const index of [5, 6, 7, 9, 2_501, 2_502, 4_998, 4_999]) {
    const before = reads()
    expect(findInLog(reader, 5_000, wanted(index))).toEqual({
      ...{ index, term: Math.floor(index / 50) + 1 },
    })
    expect(reads() - before).toBeLessThan(60)
  }
})

test('[MT3] what the log keeps no more, or not yet applied, or never had, is in no place', () => {
  const { reader } = log(100, 50)
  expect(findInLog(reader, 100, wanted(21))).toBeNull()
  expect(findInLog(reader, 60, wanted(70))).toBeNull()
  expect(findInLog(reader, 100, { ...wanted(70), msgId: 'other' })).toBeNull()
  expect(findInLog(reader, 100, { ...wanted(70), from: 'bob' })).toBeNull()
  expect(findInLog(log(4).reader, 4, wanted(3))).toBeNull()
})
