import { assert } from '../assert.ts'
import type { AppendMessage } from '../raft/messages.ts'
import { encodeMessage, type PeerMessage } from './message-codec.ts'

interface Encoded {
  readonly message: AppendMessage
  readonly frame: Uint8Array
}

/**
 * The frames of the messages that leave in one turn. Followers that keep up lack the same entries:
 * they get one frame, copied and checksummed once (bench/peer-frames.bench.ts).
 */
export class AppendFrames {
  readonly #groupId: number
  /** By `prevIndex`; most turns send no append. */
  #encoded: Map<number, Encoded> | null = null

  constructor(groupId: number) {
    this.#groupId = groupId
  }

  frameOf(message: PeerMessage): Uint8Array {
    if (message.type !== 'append') return encodeMessage(message, this.#groupId)
    const known = this.#encoded?.get(message.prevIndex)
    if (known !== undefined && isSame(known.message, message)) return known.frame
    const frame = encodeMessage(message, this.#groupId)
    this.#encoded ??= new Map()
    this.#encoded.set(message.prevIndex, { message, frame })
    return frame
  }
}

/**
 * A leader never overwrites its log and a term has one leader (Raft §5.3, §5.4), so sender, term,
 * beginning and count say what the entries are.
 */
function isSame(a: AppendMessage, b: AppendMessage): boolean {
  const same =
    a.from === b.from &&
    a.term === b.term &&
    a.commit === b.commit &&
    a.entries.length === b.entries.length
  assert(!same || a.prevTerm === b.prevTerm, `entry ${a.prevIndex} has two terms in one log`)
  return same
}
