import { assert } from '#cluster'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/** One inbox entry (rule B3): an event, by the number of its conversation (`conversation-numbers.ts`). */
export interface InboxEntry {
  readonly conversation: number
  readonly seq: number
}

/**
 * Entries are kept as runs of consecutive events of one conversation: its number, the last seq, how
 * many. A list of runs is one flat array.
 */
export const RUN_FIELDS = 3
/** Three numbers. */
const LEAST_BYTES = 3
/** Entries of one page. */
export const INBOX_PAGE = 128

/** The listed runs and, if it holds any, the newest one. */
export function writeRuns(
  writer: ByteWriter,
  runs: readonly number[],
  conversation: number,
  seq: number,
  count: number,
): void {
  writer.varint(runs.length / RUN_FIELDS + (count > 0 ? 1 : 0))
  for (let i = 0; i < runs.length; i += RUN_FIELDS) {
    writer
      .varint(runs[i]!)
      .varint(runs[i + 1]!)
      .varint(runs[i + 2]!)
  }
  if (count > 0) writer.varint(conversation).varint(seq).varint(count)
}

/** The entries of the runs, in order. */
export function readEntries(reader: ByteReader): InboxEntry[] {
  const runs = reader.varint()
  assert(runs * LEAST_BYTES <= reader.remaining, `${runs} runs of an inbox are not there`)
  const entries: InboxEntry[] = []
  for (let rest = runs; rest > 0; rest -= 1) {
    const conversation = reader.varint()
    const last = reader.varint()
    const count = reader.varint()
    assert(count >= 1 && count <= last, `a run of ${count} events up to ${last}`)
    assert(entries.length + count <= INBOX_PAGE, 'a page of an inbox holds too many entries')
    for (let seq = last - count + 1; seq <= last; seq += 1) entries.push({ conversation, seq })
  }
  return entries
}
