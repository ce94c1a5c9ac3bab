import { asBuffer } from '#cluster'

/** Keys as `u16 length ‖ bytes`, one after the other. */
export function encodeKeyList(keys: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.alloc(keys.reduce((sum, key) => sum + listedBytes(key), 0))
  let offset = 0
  for (const key of keys) {
    offset = bytes.writeUInt16BE(key.length, offset)
    bytes.set(key, offset)
    offset += key.length
  }
  return bytes
}

/** What one key adds to a list. */
export function listedBytes(key: Uint8Array): number {
  return 2 + key.length
}

/** `null` if the bytes are no list. */
export function decodeKeyList(encoded: Uint8Array): Uint8Array[] | null {
  const bytes = asBuffer(encoded)
  const keys: Uint8Array[] = []
  let offset = 0
  while (offset < bytes.length) {
    if (offset + 2 > bytes.length) return null
    const end = offset + 2 + bytes.readUInt16BE(offset)
    if (end > bytes.length) return null
    keys.push(bytes.subarray(offset + 2, end))
    offset = end
  }
  return keys
}
