import { asBuffer } from '#cluster'
import { crc32c } from '@node-rs/crc32'
import { StoreDamagedError } from './store.ts'

/** Version of everything the store writes. Part of every checksum, so that mixed bytes never pass. */
export const storeFormat = 1

/** Added to every stored value. */
export const checksumBytes = 4

/**
 * Seals values as `value ‖ CRC32C(format, key length, key, value)` (rule K5). The key is covered
 * because a flipped bit in a key block serves a good value under another key.
 */
export class ValueCodec {
  #scratch = new Uint8Array(32 * 1024)

  /** The bytes to store; valid until the next call. */
  seal(key: Uint8Array, value: Uint8Array): Uint8Array {
    const length = value.length
    if (this.#scratch.length < length + checksumBytes) {
      this.#scratch = new Uint8Array((length + checksumBytes) * 2)
    }
    const scratch = this.#scratch
    scratch.set(value)
    const checksum = checksumOf(key, value)
    scratch[length] = checksum >>> 24
    scratch[length + 1] = checksum >>> 16
    scratch[length + 2] = checksum >>> 8
    scratch[length + 3] = checksum
    return scratch.subarray(0, length + checksumBytes)
  }

  /** The value, as a view of `stored`. Throws `StoreDamagedError` if it was not sealed for `key`. */
  open(key: Uint8Array, stored: Uint8Array): Uint8Array {
    const length = stored.length - checksumBytes
    if (length < 0) throw damagedValue(key)
    const value = stored.subarray(0, length)
    const expected =
      ((stored[length]! << 24) |
        (stored[length + 1]! << 16) |
        (stored[length + 2]! << 8) |
        stored[length + 3]!) >>>
      0
    if (checksumOf(key, value) !== expected) throw damagedValue(key)
    return value
  }
}

/** CRC32C over key and value, and where one ends and the other begins. */
export function checksumOf(key: Uint8Array, value: Uint8Array): number {
  return crc32c(value, crc32c(key, storeFormat * 0x10000 + key.length))
}

function damagedValue(key: Uint8Array): StoreDamagedError {
  const hex = asBuffer(key).toString('hex', 0, 64)
  return new StoreDamagedError(
    `the value stored under key ${hex} fails its checksum: the store must be discarded`,
  )
}
