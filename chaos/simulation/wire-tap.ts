import { NO_ONE, PeerFrameKind } from '#cluster'
import { asBuffer } from '../../cluster/as-buffer.ts'
import { decodeMessage } from '../../cluster/transport/message-codec.ts'
import type { Message } from '../../cluster/raft/messages.ts'

const HEADER_BYTES = 9

/**
 * Reads the Raft messages in what a process writes to a peer. Every write holds whole frames, but for
 * the last one of a process that ends within it. Appends name no receiver.
 */
export function messagesIn(bytes: Uint8Array): readonly Message[] {
  const messages: Message[] = []
  const buffer = asBuffer(bytes)
  let at = 0
  while (at < buffer.length) {
    const end = at + 4 + buffer.readUInt32LE(at)
    if (end > buffer.length) return messages
    if (buffer[at + 8] === PeerFrameKind.raft) {
      messages.push(decodeMessage(buffer.subarray(at + HEADER_BYTES, end), NO_ONE).message)
    }
    at = end
  }
  return messages
}
