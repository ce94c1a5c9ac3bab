import { crc32c } from '@node-rs/crc32'
import { asBuffer, assertSafeInteger } from '#cluster'
import { storeFormat } from './value-codec.ts'

/** What a numbered batch is. Numbers are part of the store format. */
export const BatchKind = {
  /** Immutable values of a cut that is still to come. */
  ahead: 1,
  /** All changed objects of one log index: completes the ahead batches before it. */
  cut: 2,
  /** Removes the ahead values that a crash left past the newest cut. */
  undo: 3,
} as const
export type BatchKind = (typeof BatchKind)[keyof typeof BatchKind]

/** `b/<k>`: what every store write says of itself, inside its own batch (rule K3). */
export interface BatchRecord {
  /** From 1, without a gap. */
  readonly number: number
  readonly kind: BatchKind
  /** The log position of the cut that this batch is or belongs to. */
  readonly index: number
  readonly term: number
  /** The lowest number whose record the store still holds once this batch is in. */
  readonly kept: number
  /** Bytes of keys and values in the batch. */
  readonly bytes: number
  /** CRC32C over the record before it and this one. */
  readonly chain: number
}

export type UnchainedRecord = Omit<BatchRecord, 'chain'>

const length = 46 + 4
const chainOffset = 46

/** Chain value before the first record. */
export const chainStart = 0

export function chainRecord(record: UnchainedRecord, previousChain: number): BatchRecord {
  const chain = crc32c(encodeFields(record).subarray(0, chainOffset), previousChain)
  return { ...record, chain }
}

export function encodeBatchRecord(record: BatchRecord): Uint8Array {
  const bytes = encodeFields(record)
  bytes.writeUInt32BE(record.chain, chainOffset)
  return bytes
}

/** `null` if these bytes are no record of this format. */
export function decodeBatchRecord(encoded: Uint8Array): BatchRecord | null {
  if (encoded.length !== length) return null
  const bytes = asBuffer(encoded)
  const kind = bytes[1] as BatchKind
  if (bytes[0] !== storeFormat) return null
  if (kind !== BatchKind.ahead && kind !== BatchKind.cut && kind !== BatchKind.undo) return null
  const record = {
    number: readU64(bytes, 2),
    kind,
    index: readU64(bytes, 10),
    term: readU64(bytes, 18),
    kept: readU64(bytes, 26),
    bytes: readU64(bytes, 34),
    chain: bytes.readUInt32BE(chainOffset),
  }
  return Object.values(record).every(Number.isSafeInteger) ? record : null
}

function encodeFields(record: UnchainedRecord): Buffer {
  const bytes = Buffer.alloc(length)
  bytes[0] = storeFormat
  bytes[1] = record.kind
  writeU64(bytes, record.number, 2)
  writeU64(bytes, record.index, 10)
  writeU64(bytes, record.term, 18)
  writeU64(bytes, record.kept, 26)
  writeU64(bytes, record.bytes, 34)
  return bytes
}

function writeU64(bytes: Buffer, value: number, offset: number): void {
  assertSafeInteger(value, 'batch record field')
  bytes.writeBigUInt64BE(BigInt(value), offset)
}

function readU64(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64BE(offset))
}
