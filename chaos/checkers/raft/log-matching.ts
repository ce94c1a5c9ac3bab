import { crc32c } from '@node-rs/crc32'
import type { Entry } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import type { SyncedBatch } from './durable-log.ts'
import { type ObservedReplica, type RaftChecker, violate } from './raft-checker.ts'

interface Known {
  readonly term: number
  readonly prevTerm: number
  readonly crc: number
  /** Of another term that wrote there. */
  readonly other: Known | null
}

/**
 * R3: an index and a term name one entry, with one content and one predecessor (Raft §5.3), judged
 * by what leaders send and by what stands on each disk.
 */
export class LogMatching implements RaftChecker {
  /** By index. */
  readonly #known = new Map<number, Known>()
  /** What was judged last: one message goes to all followers that lack the same. */
  #judged: Message | null = null

  onMessage(_replica: ObservedReplica, message: Message): void {
    if (message.type !== 'append' || message === this.#judged) return
    let { prevTerm } = message
    for (const entry of message.entries) {
      this.#judge(entry, prevTerm, message.from, 'sends')
      prevTerm = entry.term
    }
    this.#judged = message
  }

  onBatch({ name, disk }: ObservedReplica, { batch }: SyncedBatch): void {
    const [first] = batch.entries
    let prevTerm = first === undefined ? null : disk.termAt(first.index - 1)
    for (const entry of batch.entries) {
      this.#judge(entry, prevTerm, name, 'has on its disk')
      prevTerm = entry.term
    }
  }

  /** `prevTerm` is `null` where a snapshot hides it. */
  #judge(
    { index, term, data }: Entry,
    prevTerm: number | null,
    who: string,
    does: 'sends' | 'has on its disk',
  ): void {
    const crc = crc32c(data) | 0
    const first = this.#known.get(index) ?? null
    let same = first
    while (same !== null && same.term !== term) same = same.other
    if (same === null) {
      if (prevTerm !== null) this.#known.set(index, { term, prevTerm, crc, other: first })
    } else if (same.crc !== crc || (prevTerm !== null && same.prevTerm !== prevTerm)) {
      violate(
        'R3',
        `${who} ${does} another entry ${index} of term ${term}, or another one before it`,
      )
    }
  }
}
