import { crc32c } from '@node-rs/crc32'
import type { Message } from '../../../cluster/raft/messages.ts'
import { demand, type ObservedReplica, type RaftChecker } from './raft-checker.ts'

interface Known {
  readonly prevTerm: number
  readonly crc: number
}

/**
 * R3: an index and a term name one entry, with one content and one predecessor (Raft §5.3), judged
 * by what leaders send.
 */
export class LogMatching implements RaftChecker {
  readonly #known = new Map<string, Known>()

  onMessage(_replica: ObservedReplica, message: Message): void {
    if (message.type !== 'append') return
    let { prevTerm } = message
    for (const { index, term, data } of message.entries) {
      const key = `${index}/${term}`
      const crc = crc32c(data)
      const known = this.#known.get(key)
      if (known === undefined) this.#known.set(key, { prevTerm, crc })
      else {
        const same = known.crc === crc && known.prevTerm === prevTerm
        const leader = message.from
        demand(same, 'R3', () => `${leader} sends another entry ${index} of term ${term}`)
      }
      prevTerm = term
    }
  }
}
