import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { decodeSettings, encodeSettings, type Settings } from './settings.ts'

/** Of every cluster below feature level 2: what an older version reads. */
const FORMAT = 3
/** The same, with the feature level behind the format. */
const LEVELLED_FORMAT = 4

/** What one cut left for the dedupe table: dropped once the window has passed it. */
export interface DedupeCut {
  readonly index: number
  /** Blocks are numbered `numberInCut(index, 0)` and on. */
  readonly blocks: number
  readonly maxLogTime: number
  /** Verdicts up to this number were written by then. */
  readonly lastVerdict: number
}

/** The state as a whole, under the key `a`: everything that is not per conversation or user. */
export interface StateRecord {
  readonly index: number
  readonly term: number
  readonly logTime: number
  readonly windowStart: number
  /** Running hash over everything applied (rule K5), three u32. */
  readonly hash: readonly [number, number, number]
  readonly conversations: number
  /** Users that have an inbox. */
  readonly users: number
  readonly lastVerdict: number
  /** Verdicts up to this number were purged. */
  readonly purgedVerdict: number
  readonly seedHigh: number
  readonly seedLow: number
  readonly settings: Settings
  /** The cluster's feature level. */
  readonly level: number
  /** An encoded `Configuration`: the newest applied; empty before the first. */
  readonly configuration: Uint8Array
  /** Which blocks of revoked tokens there are, a bit each; empty before the first. */
  readonly revocationBlocks: Uint8Array
  /** Which blocks of push subscriptions there are, a bit each; empty before the first. */
  readonly pushBlocks: Uint8Array
  /** What retention took away: numbers up to `last`, of which those up to `erased` are done with. */
  readonly removals: { readonly last: number; readonly erased: number }
  readonly dedupeCuts: readonly DedupeCut[]
}

export function encodeStateRecord(record: StateRecord): Uint8Array {
  const writer = new ByteWriter(512 + record.dedupeCuts.length * 24)
  if (record.level === 1) writer.u8(FORMAT)
  else writer.u8(LEVELLED_FORMAT).varint(record.level)
  writer
    .varint(record.index)
    .varint(record.term)
    .varint(record.logTime)
    .varint(record.windowStart)
    .u32(record.hash[0])
    .u32(record.hash[1])
    .u32(record.hash[2])
    .varint(record.conversations)
    .varint(record.users)
    .varint(record.lastVerdict)
    .varint(record.purgedVerdict)
    .u32(record.seedHigh)
    .u32(record.seedLow)
    .bytes(encodeSettings(record.settings))
    .bytes(record.configuration)
    .bytes(record.revocationBlocks)
    .bytes(record.pushBlocks)
    .varint(record.removals.last)
    .varint(record.removals.erased)
    .varint(record.dedupeCuts.length)
  for (const cut of record.dedupeCuts) {
    writer.varint(cut.index).varint(cut.blocks).varint(cut.maxLogTime).varint(cut.lastVerdict)
  }
  return writer.toBytes()
}

export function decodeStateRecord(bytes: Uint8Array): StateRecord {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  const isKnown = format === FORMAT || format === LEVELLED_FORMAT
  assert(isKnown, `state record of unknown format ${format}: this node is too old for it`)
  const level = format === FORMAT ? 1 : reader.varint()
  assert(format === FORMAT || level > 1, `state record of level ${level} in a format of later ones`)
  const record = {
    level,
    index: reader.varint(),
    term: reader.varint(),
    logTime: reader.varint(),
    windowStart: reader.varint(),
    hash: [reader.u32(), reader.u32(), reader.u32()] as const,
    conversations: reader.varint(),
    users: reader.varint(),
    lastVerdict: reader.varint(),
    purgedVerdict: reader.varint(),
    seedHigh: reader.u32(),
    seedLow: reader.u32(),
    settings: decodeSettings(reader.bytes()),
    configuration: new Uint8Array(reader.bytes()),
    revocationBlocks: new Uint8Array(reader.bytes()),
    pushBlocks: new Uint8Array(reader.bytes()),
    removals: { last: reader.varint(), erased: reader.varint() },
    dedupeCuts: [] as DedupeCut[],
  }
  for (let rest = reader.varint(); rest > 0; rest -= 1) {
    const index = reader.varint()
    const blocks = reader.varint()
    const maxLogTime = reader.varint()
    record.dedupeCuts.push({ index, blocks, maxLogTime, lastVerdict: reader.varint() })
  }
  reader.end('the state record')
  return record
}
