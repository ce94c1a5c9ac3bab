import { type Entry, EntryType, type LogReader } from '#cluster'
import { batchStamp, forEachCommand } from '../state-machine/batch-codec.ts'

export interface LogPosition {
  readonly index: number
  readonly term: number
}

/** Entries of one log time that are looked through at most: a leader stamps each anew. */
const MOST_ENTRIES = 1_000

/**
 * The entry that holds the write, by the log time at which it was decided; `null` if the log is kept
 * no more from there. Log time never falls, so it can be searched by halves: some twenty reads.
 */
export function findInLog(
  log: LogReader,
  upTo: number,
  {
    logTime,
    msgId,
    from,
  }: { readonly logTime: number; readonly msgId: string; readonly from: string },
): LogPosition | null {
  let low = log.firstIndex()
  let high = upTo + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const stamped = stampedFrom(log, middle, high)
    if (stamped === null) high = middle
    else if (batchStamp(stamped.data).logTime < logTime) low = stamped.index + 1
    else high = middle
  }
  for (let at = low, looked = 0; at <= upTo && looked < MOST_ENTRIES; looked++) {
    const entry = stampedFrom(log, at, upTo + 1)
    if (entry === null || batchStamp(entry.data).logTime !== logTime) return null
    let isIn = false
    forEachCommand(entry.data, (view) => {
      isIn ||= view.msgId === msgId && view.user === from
    })
    if (isIn) return { index: entry.index, term: entry.term }
    at = entry.index + 1
  }
  return null
}

/** The first entry from there on that holds commands: leaders begin with an empty one. */
function stampedFrom(log: LogReader, from: number, below: number): Entry | null {
  for (let index = from; index < below; index++) {
    const entry = log.entries(index, index + 1, 1)?.[0]
    if (entry === undefined) return null
    if (entry.type === EntryType.normal && entry.data.length > 0) return entry
  }
  return null
}
