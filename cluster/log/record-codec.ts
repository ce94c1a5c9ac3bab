import { assert } from '../assert.ts'
import { ByteReader } from '../byte-reader.ts'
import {
  decodeConfiguration,
  encodeConfiguration,
  type Configuration,
} from '../raft/configuration.ts'
import { EntryType, type Entry, type HardState, type SnapshotMeta } from '../raft/types.ts'
import type { ByteWriter } from './byte-writer.ts'
import { LogFormatError } from './log-format-error.ts'
import type { AppendRequest, Formation } from './log-storage.ts'

/**
 * The payload of a frame is a run of records. All integers are little-endian.
 *
 * ```
 *   ┌────────┬─────────┬────────┬──────────┬──────────┬────────┐
 *   │ kind 1 │ vers. 1 │ zero 2 │ group  4 │ bytes  4 │ body … │
 *   └────────┴─────────┴────────┴──────────┴──────────┴────────┘
 *
 *   1 head       raft id 8 │ segment 8 │ kept from 8 │ last index 8 │ last term 8 │ hard state 24
 *                │ configuration │ formed 1 │ formation if formed
 *   2 formation  cluster id 16 │ epoch 8 │ configuration
 *   3 snapshot   index 8 │ term 8 │ configuration
 *   4 entries    first index 8 │ term 8 │ count 4 │ count × (bytes 4 │ type 1 │ data)
 *   5 hardState  term 8 │ vote 8 (zeros: nobody) │ commit 8
 *   6 kept       segment 8
 *
 *   configuration = bytes 4 │ what `encodeConfiguration` makes
 * ```
 *
 * A batch holds its records in the order of the kinds: at most one of each, but `entries` once per
 * term, continuing each other. `head` opens the first frame of every segment and restates what was
 * in force before that batch, so that all older segments can go. `kept` says which segment is the
 * oldest still needed: a missing one at or after it is damage. An empty payload is a seal.
 */
export interface Batch {
  head: Head | null
  formation: Formation | null
  snapshot: SnapshotMeta | null
  entries: Entry[]
  hardState: HardState | null
  keptFrom: number | null
}

/** Where the log ends: an index, its term, and the newest configuration at or below it. */
export type Position = SnapshotMeta

export interface Head {
  readonly raftId: string
  readonly segment: number
  readonly keptFrom: number
  readonly position: Position
  readonly hardState: HardState
  readonly formation: Formation | null
}

const Kind = { head: 1, formation: 2, snapshot: 3, entries: 4, hardState: 5, kept: 6 } as const
const RECORD_VERSION = 1
const RECORD_HEADER_BYTES = 12
const ENTRY_OVERHEAD_BYTES = 5
/** The one Raft group that this log holds. */
const GROUP = 0
const NOBODY = '0'.repeat(16)

export function encodeHead(writer: ByteWriter, head: Head): void {
  record(writer, Kind.head, () => {
    writer.hex(head.raftId, 8)
    writer.u64(head.segment)
    writer.u64(head.keptFrom)
    writer.u64(head.position.index)
    writer.u64(head.position.term)
    writeHardState(writer, head.hardState)
    writeConfiguration(writer, head.position.configuration)
    writer.u8(head.formation === null ? 0 : 1)
    if (head.formation !== null) writeFormation(writer, head.formation)
  })
}

export function encodeFormation(writer: ByteWriter, formation: Formation): void {
  record(writer, Kind.formation, () => writeFormation(writer, formation))
}

export function encodeAppend(writer: ByteWriter, request: AppendRequest): void {
  const { snapshot, entries, hardState } = request
  if (snapshot !== null) {
    record(writer, Kind.snapshot, () => {
      writer.u64(snapshot.index)
      writer.u64(snapshot.term)
      writeConfiguration(writer, snapshot.configuration)
    })
  }
  let next = 0
  while (next < entries.length) next = encodeRun(writer, entries, next)
  if (hardState !== null) {
    record(writer, Kind.hardState, () => writeHardState(writer, hardState))
  }
}

export function encodeKept(writer: ByteWriter, segment: number): void {
  record(writer, Kind.kept, () => writer.u64(segment))
}

/**
 * Decodes a payload. Entry data are views into it. Throws `LogFormatError` for everything that
 * this version would not have written.
 */
export function decodeBatch(payload: Buffer): Batch {
  const batch: Batch = {
    head: null,
    formation: null,
    snapshot: null,
    entries: [],
    hardState: null,
    keptFrom: null,
  }
  const reader = readerOf(payload, 0, payload.length)
  let previous = 0
  while (reader.remaining > 0) {
    const kind = reader.u8()
    const version = reader.u8()
    const zero = reader.u8() | reader.u8()
    const group = reader.u32()
    const length = reader.u32()
    if (version !== RECORD_VERSION) {
      throw new LogFormatError(`record kind ${kind} has unknown version ${version}`)
    }
    if (group !== GROUP || zero !== 0) throw new LogFormatError(`unknown record group ${group}`)
    if (kind < previous || (kind === previous && kind !== Kind.entries)) {
      throw new LogFormatError(`record kind ${kind} after ${previous}`)
    }
    previous = kind
    if (length > reader.remaining) throw new LogFormatError(`record kind ${kind} is cut short`)
    const body = readerOf(payload, reader.position, reader.position + length)
    decodeRecord(kind, body, batch)
    body.finish()
    reader.bytes(length)
  }
  return batch
}

/** Bytes of the first record: what a batch restates, to be replaced when it is copied. */
export function headRecordBytes(payload: Buffer): number {
  assert(payload.length > RECORD_HEADER_BYTES && payload[0] === Kind.head, 'no head record')
  return RECORD_HEADER_BYTES + payload.readUInt32LE(8)
}

function readerOf(payload: Buffer, start: number, end: number): ByteReader {
  return new ByteReader(payload, start, end, (message) => new LogFormatError(message))
}

function decodeRecord(kind: number, body: ByteReader, batch: Batch): void {
  switch (kind) {
    case Kind.head:
      batch.head = readHead(body)
      return
    case Kind.formation:
      batch.formation = readFormation(body)
      return
    case Kind.snapshot:
      batch.snapshot = {
        index: body.u64(),
        term: body.u64(),
        configuration: readConfiguration(body),
      }
      return
    case Kind.entries:
      decodeRun(body, batch.entries)
      return
    case Kind.hardState:
      batch.hardState = readHardState(body)
      return
    case Kind.kept:
      batch.keptFrom = body.u64()
      return
    default:
      throw new LogFormatError(`unknown record kind ${kind}`)
  }
}

function record(writer: ByteWriter, kind: number, body: () => void): void {
  const start = writer.length
  writer.u32(kind | (RECORD_VERSION << 8))
  writer.u32(GROUP)
  writer.u32(0)
  body()
  writer.patchU32(start + 8, writer.length - start - RECORD_HEADER_BYTES)
}

/** Writes the entries from `from` on that share a term; returns the index after them. */
function encodeRun(writer: ByteWriter, entries: readonly Entry[], from: number): number {
  const first = entries[from]!
  let end = from
  let bytes = 0
  while (end < entries.length && entries[end]!.term === first.term) {
    bytes += entries[end]!.data.length + ENTRY_OVERHEAD_BYTES
    end++
  }
  writer.ensure(bytes + 64)
  record(writer, Kind.entries, () => {
    writer.u64(first.index)
    writer.u64(first.term)
    writer.u32(end - from)
    for (let at = from; at < end; at++) {
      const entry = entries[at]!
      writer.u32(entry.data.length)
      writer.u8(entry.type)
      writer.bytes(entry.data)
    }
  })
  return end
}

function decodeRun(body: ByteReader, entries: Entry[]): void {
  const first = body.u64()
  const term = body.u64()
  const count = body.u32()
  const last = entries.at(-1)
  if (first === 0 || count === 0 || first + count > Number.MAX_SAFE_INTEGER) {
    throw new LogFormatError(`${count} entries from index ${first}`)
  }
  if (last !== undefined && (first !== last.index + 1 || term <= last.term)) {
    throw new LogFormatError(`entries from index ${first} do not continue ${last.index}`)
  }
  for (let index = first; index < first + count; index++) {
    const length = body.u32()
    const type = body.u8()
    if (type !== EntryType.normal && type !== EntryType.configuration) {
      throw new LogFormatError(`entry ${index} has unknown type ${type}`)
    }
    entries.push({ term, index, type, data: body.bytes(length) })
  }
}

function writeHardState(writer: ByteWriter, hardState: HardState): void {
  writer.u64(hardState.term)
  writer.hex(hardState.vote, 8)
  writer.u64(hardState.commit)
}

function readHardState(body: ByteReader): HardState {
  const term = body.u64()
  const vote = body.hex(8)
  return { term, vote: vote === NOBODY ? '' : vote, commit: body.u64() }
}

function writeFormation(writer: ByteWriter, formation: Formation): void {
  writer.hex(formation.clusterId, 16)
  writer.hex(formation.epoch, 8)
  writeConfiguration(writer, formation.configuration)
}

function readFormation(body: ByteReader): Formation {
  return { clusterId: body.hex(16), epoch: body.hex(8), configuration: readConfiguration(body) }
}

function writeConfiguration(writer: ByteWriter, configuration: Configuration): void {
  const bytes = encodeConfiguration(configuration)
  writer.u32(bytes.length)
  writer.bytes(bytes)
}

function readConfiguration(body: ByteReader): Configuration {
  return decodeConfiguration(body.bytes(body.u32()), (message) => new LogFormatError(message))
}

function readHead(body: ByteReader): Head {
  const raftId = body.hex(8)
  const segment = body.u64()
  const keptFrom = body.u64()
  const index = body.u64()
  const term = body.u64()
  const hardState = readHardState(body)
  const configuration = readConfiguration(body)
  const formed = body.u8()
  if (formed > 1) throw new LogFormatError(`formed is ${formed}`)
  return {
    raftId,
    segment,
    keptFrom,
    position: { index, term, configuration },
    hardState,
    formation: formed === 1 ? readFormation(body) : null,
  }
}
