import { crc32c } from '@node-rs/crc32'

/** A frame between nodes with the right length and checksum, whatever its kind and body. */
export function peerFrame(kind: number, body: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(9 + body.length)
  frame.writeUInt32LE(body.length + 5, 0)
  frame[8] = kind
  frame.set(body, 9)
  frame.writeUInt32LE(crc32c(frame.subarray(8)), 4)
  return frame
}
