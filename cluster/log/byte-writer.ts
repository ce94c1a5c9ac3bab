const TWO_32 = 2 ** 32
const START_BYTES = 64 * 1024
const KEEP_BYTES = 8 * 1024 * 1024

/** One reusable buffer that a batch is encoded into: each entry's bytes are copied once. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafeSlow(START_BYTES)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Valid until the next call that writes. */
  get buffer(): Buffer {
    return this.#buffer
  }

  /** Starts over after `reserved` bytes that the caller fills in last. A huge buffer is let go. */
  reset(reserved: number): void {
    if (this.#buffer.length > KEEP_BYTES) this.#buffer = Buffer.allocUnsafeSlow(START_BYTES)
    this.#length = reserved
  }

  /** Makes room, so that what follows does not grow the buffer piece by piece. */
  ensure(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    let size = this.#buffer.length * 2
    while (size < needed) size *= 2
    const grown = Buffer.allocUnsafeSlow(size)
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }

  u8(value: number): void {
    this.ensure(1)
    this.#length = this.#buffer.writeUInt8(value, this.#length)
  }

  u32(value: number): void {
    this.ensure(4)
    this.#length = this.#buffer.writeUInt32LE(value, this.#length)
  }

  /** A safe integer on eight bytes. */
  u64(value: number): void {
    this.ensure(8)
    this.#buffer.writeUInt32LE(value % TWO_32, this.#length)
    this.#length = this.#buffer.writeUInt32LE(Math.floor(value / TWO_32), this.#length + 4)
  }

  bytes(value: Uint8Array): void {
    this.ensure(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  /** Hexadecimal digits as half as many bytes, zeros for an empty string. */
  hex(value: string, bytes: number): void {
    this.ensure(bytes)
    this.#buffer.fill(0, this.#length, this.#length + bytes)
    this.#buffer.write(value, this.#length, bytes, 'hex')
    this.#length += bytes
  }

  /** Overwrites four bytes written before. */
  patchU32(position: number, value: number): void {
    this.#buffer.writeUInt32LE(value, position)
  }
}
