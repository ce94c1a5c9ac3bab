import { PeerFrameKind, PeerProtocolError } from '#cluster'
import { decodeMessage, encodeMessage } from '../../../cluster/transport/message-codec.ts'
import type { Prng } from '../../prng.ts'
import type { Captured } from '../capture.ts'
import { mutate } from '../mutate.ts'
import { refusalOr, type Target, violated } from '../target.ts'

const RECEIVER = 'a1a1a1a1a1a1a1a1'
/** Before the body of a frame. */
const HEADER_BYTES = 9

/** Raft messages, whose checksum was right. */
export class RaftMessages implements Target {
  readonly #samples: readonly Uint8Array[]

  constructor({ frameBodies }: Captured) {
    this.#samples = frameBodies.get(PeerFrameKind.raft) ?? violated('no message was captured')
  }

  make(random: Prng): Uint8Array {
    if (random.chance(0.03)) return random.bytes(random.below(80))
    const bytes = Uint8Array.from(random.pick(this.#samples))
    if (random.chance(0.2)) bytes[1] = 1 + random.below(15)
    return mutate(random, bytes, this.#samples)
  }

  judge(bytes: Uint8Array): string | null {
    const result = refusalOr([PeerProtocolError], () => decodeMessage(bytes, RECEIVER))
    if ('refusal' in result) return result.refusal
    const { message, groupId } = result.value
    const encoded = encodeMessage(message, groupId).subarray(HEADER_BYTES)
    if (Buffer.compare(encoded, bytes) === 0) return null
    violated(`${message.type} is written in another way than it was read`)
  }
}
