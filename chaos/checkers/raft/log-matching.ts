import { crc32c } from '@node-rs/crc32'
import type { Entry } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import type { SyncedBatch } from './durable-log.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Known {
  readonly term: number
  readonly prevTerm: number
  readonly crc: number
}

/**
 * R3: an index and a term name one entry, with one content and one predecessor (Raft §5.3), judged
 * by what leaders send and by what stands on each disk.
 */
export class LogMatching implements RaftChecker {
  /** By index: there are as many as there were terms that wrote there. */
  readonly #known = new Map<number, Known[]>()

  onMessage(_replica: ObservedReplica, message: Message): void {
    if (message.type !== 'append') return
    let { prevTerm } = message
    for (const entry of message.entries) {
      this.#judge(entry, prevTerm, () => `${message.from} sends`)
      prevTerm = entry.term
    }
  }

  onBatch({ name, disk }: ObservedReplica, { batch }: SyncedBatch): void {
    const [first] = batch.entries
    let prevTerm = first === undefined ? null : disk.termAt(first.index - 1)
    for (const entry of batch.entries) {
      this.#judge(entry, prevTerm, () => `${name} has on its disk`)
      prevTerm = entry.term
    }
  }

  /** `prevTerm` is `null` where a snapshot hides it. */
  #judge({ index, term, data }: Entry, prevTerm: number | null, who: () => string): void {
    const crc = crc32c(data)
    let known = this.#known.get(index)
    if (known === undefined) this.#known.set(index, (known = []))
    const same = known.find((one) => one.term === term)
    if (same === undefined) {
      if (prevTerm !== null) known.push({ term, prevTerm, crc })
      return
    }
    demand(
      same.crc === crc && same.prevTerm === (prevTerm ?? same.prevTerm),
      'R3',
      () => `${who()} another entry ${index} of term ${term}, or another one before it`,
    )
  }
}
