import { checksumOf } from '../checksum.ts'

/**
 * A frame carries one batch: it is written by one write, synced by one fdatasync, and kept or
 * dropped whole. Frames follow each other from offset 0 of a segment, each starting at a multiple
 * of 8; what follows the last one is zeros. All integers are little-endian.
 *
 * ```
 *        0          2          4          6          8
 *      0 ┌─────────────────────┬─────────────────────┐
 *        │ magic 8B 50 4C 46   │ crc32c of all after │
 *      8 ├──────────┬──────────┼─────────────────────┤
 *        │ version  │ zero     │ payload bytes       │
 *     16 ├──────────┴──────────┴─────────────────────┤
 *        │ batch number, consecutive over segments   │
 *     24 ├───────────────────────────────────────────┤
 *        │ salt of this log                          │
 *     32 ├─────────────────────┬─────────────────────┤
 *        │ chain: crc before   │ zero                │
 *     40 ├─────────────────────┴─────────────────────┤
 *        │ payload: records …          zeros up to 8 │
 *        └───────────────────────────────────────────┘
 * ```
 *
 * The crc covers everything from offset 8 to the padded end. `chain` is the crc of the frame with
 * the number before this one, 0 for batch 1. The salt is random, made with the directory and never
 * leaves it: no client can put into a message what recovery would take for a frame of this log.
 * Magic, crc, version and payload bytes keep their places in every later version.
 */
export interface Frame {
  readonly batch: number
  readonly salt: bigint
  readonly chain: number
  readonly crc: number
  /** A view into the buffer that was read. */
  readonly payload: Buffer
  /** From magic to the end of the padding. */
  readonly bytes: number
}

export const FRAME_HEADER_BYTES = 40
export const FRAME_ALIGNMENT = 8
export const FRAME_VERSION = 1
export const SALT_OFFSET = 24
/** A longer one is never written, and never allocated for when it is read. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024

const MAGIC = 0x464c508b
const TWO_32 = 2 ** 32

/** What a header claims before its crc was looked at. */
export interface FrameHeader {
  readonly version: number
  readonly batch: number
  readonly salt: bigint
  readonly bytes: number
}

export function frameBytes(payloadBytes: number): number {
  const bytes = FRAME_HEADER_BYTES + payloadBytes
  return bytes + (-bytes & (FRAME_ALIGNMENT - 1))
}

/**
 * Completes the frame whose payload stands at `buffer[FRAME_HEADER_BYTES … payloadEnd)`. The buffer
 * has room for the padding. Returns the crc: the chain of the next frame.
 */
export function sealFrame(
  buffer: Buffer,
  payloadEnd: number,
  frame: { batch: number; salt: bigint; chain: number },
): number {
  const payloadBytes = payloadEnd - FRAME_HEADER_BYTES
  const end = frameBytes(payloadBytes)
  buffer.fill(0, payloadEnd, end)
  buffer.writeUInt32LE(MAGIC, 0)
  buffer.writeUInt16LE(FRAME_VERSION, 8)
  buffer.writeUInt16LE(0, 10)
  buffer.writeUInt32LE(payloadBytes, 12)
  buffer.writeUInt32LE(frame.batch % TWO_32, 16)
  buffer.writeUInt32LE(Math.floor(frame.batch / TWO_32), 20)
  buffer.writeBigUInt64LE(frame.salt, SALT_OFFSET)
  buffer.writeUInt32LE(frame.chain, 32)
  buffer.writeUInt32LE(0, 36)
  const crc = checksumOf(buffer, 8, end)
  buffer.writeUInt32LE(crc, 4)
  return crc
}

/** `null` if no header can stand at `offset`. Says nothing about the crc. */
export function readFrameHeader(buffer: Buffer, offset: number): FrameHeader | null {
  if (offset + FRAME_HEADER_BYTES > buffer.length) return null
  if (buffer.readUInt32LE(offset) !== MAGIC) return null
  const batch = buffer.readUInt32LE(offset + 16) + buffer.readUInt32LE(offset + 20) * TWO_32
  const bytes = frameBytes(buffer.readUInt32LE(offset + 12))
  if (!Number.isSafeInteger(batch) || bytes > MAX_FRAME_BYTES) return null
  return {
    version: buffer.readUInt16LE(offset + 8),
    batch,
    salt: buffer.readBigUInt64LE(offset + SALT_OFFSET),
    bytes,
  }
}

/** The frame at `offset` if it is whole and its crc is right. Its version may still be a later one. */
export function readFrame(buffer: Buffer, offset: number): (Frame & FrameHeader) | null {
  const header = readFrameHeader(buffer, offset)
  if (header === null || offset + header.bytes > buffer.length) return null
  const crc = buffer.readUInt32LE(offset + 4)
  if (checksumOf(buffer, offset + 8, offset + header.bytes) !== crc) return null
  const start = offset + FRAME_HEADER_BYTES
  return {
    ...header,
    crc,
    chain: buffer.readUInt32LE(offset + 32),
    payload: buffer.subarray(start, start + buffer.readUInt32LE(offset + 12)),
  }
}
