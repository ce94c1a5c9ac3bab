import type { File } from '../ports.ts'
import {
  FRAME_HEADER_BYTES,
  SALT_OFFSET,
  readFrame,
  readFrameHeader,
  type Frame,
  type FrameHeader,
} from './frame-codec.ts'

const WINDOW_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(WINDOW_BYTES)

/** Reads one segment from front to back through a window, at most one frame larger than 1 MiB. */
export class SegmentScanner {
  readonly #file: File
  readonly #size: number
  #window: Buffer
  #start = 0
  #length = 0

  constructor(file: File, size: number) {
    this.#file = file
    this.#size = size
    this.#window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, size))
  }

  /** The whole frame with a right crc at `offset`, or `null`. Valid until the next call. */
  async frameAt(offset: number): Promise<(Frame & FrameHeader) | null> {
    const header = await this.headerAt(offset)
    // What a header claims is never allocated unless the file has it.
    if (header === null || header.bytes > this.#size - offset) return null
    await this.#load(offset, header.bytes)
    return readFrame(this.#view(), offset - this.#start)
  }

  async headerAt(offset: number): Promise<FrameHeader | null> {
    if (this.#size - offset < FRAME_HEADER_BYTES) return null
    await this.#load(offset, FRAME_HEADER_BYTES)
    return readFrameHeader(this.#view(), offset - this.#start)
  }

  /**
   * Where from `offset` on a frame of this log may have stood, `null` for nowhere. Looks for the
   * salt alone: it stands in every frame and nowhere else, whatever else of the frame was damaged.
   */
  async findSalt(salt: bigint, offset: number): Promise<number | null> {
    const pattern = Buffer.alloc(8)
    pattern.writeBigUInt64LE(salt)
    for (let at = offset; at < this.#size;) {
      const bytes = Math.min(WINDOW_BYTES, this.#size - at)
      await this.#load(at, bytes)
      const found = this.#view().indexOf(pattern, at - this.#start)
      if (found >= 0) return this.#start + found - SALT_OFFSET
      if (bytes < WINDOW_BYTES) return null
      // The pattern may lie across the end of the window.
      at += bytes - (pattern.length - 1)
    }
    return null
  }

  /** The first byte from `offset` on that is not zero, `null` if all are. */
  async findNonZero(offset: number): Promise<number | null> {
    for (let at = offset; at < this.#size; at += WINDOW_BYTES) {
      const bytes = Math.min(WINDOW_BYTES, this.#size - at)
      await this.#load(at, bytes)
      const part = this.#view().subarray(at - this.#start, at - this.#start + bytes)
      if (part.compare(ZEROS, 0, bytes) === 0) continue
      return at + part.findIndex((byte) => byte !== 0)
    }
    return null
  }

  #view(): Buffer {
    return this.#window.subarray(0, this.#length)
  }

  /** Brings `bytes` bytes from `offset` on into the window, and what else fits. */
  async #load(offset: number, bytes: number): Promise<void> {
    if (offset >= this.#start && offset + bytes <= this.#start + this.#length) return
    if (bytes > this.#window.length) this.#window = Buffer.allocUnsafeSlow(bytes)
    const wanted = Math.min(this.#window.length, this.#size - offset)
    this.#start = offset
    this.#length = 0
    while (this.#length < wanted) {
      const part = this.#window.subarray(this.#length, wanted)
      const read = await this.#file.read(part, offset + this.#length)
      if (read === 0) throw new Error('a log segment became shorter while it was read')
      this.#length += read
    }
  }
}
