import { crc32c } from '@node-rs/crc32'
import type { FileSystem } from '#cluster'
import { maskChecksum } from './level-checksum.ts'

const blockBytes = 32 * 1024
const headerBytes = 7
/** Kinds of fragments that a record of LevelDB's log format is cut into. */
const fragment = { full: 1, first: 2, middle: 3, last: 4 } as const
/** Fields of a version edit. */
const field = {
  comparator: 1,
  logNumber: 2,
  nextFileNumber: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLogNumber: 9,
} as const

/** Which files make up a database. */
export interface LevelFiles {
  readonly tables: readonly LiveTable[]
  /** Logs from this number on hold what no table has. */
  readonly logNumber: number
}

export interface LiveTable {
  readonly number: number
  readonly bytes: number
}

/**
 * The tables that make up the database at `path` by its manifest: others in the directory are
 * leftovers, perhaps half written, of flushes that a crash cut off. Reads up to the first record
 * that makes no sense, also while the database is open and writing: whether that is damage is for
 * LevelDB to say, which checks its manifest when it opens.
 */
export async function readLiveTables(
  fileSystem: FileSystem,
  path: string,
): Promise<readonly LiveTable[]> {
  return (await readLevelFiles(fileSystem, path))?.tables ?? []
}

/** The same with the logs; `null` if there is no manifest to read. */
export async function readLevelFiles(
  fileSystem: FileSystem,
  path: string,
): Promise<LevelFiles | null> {
  const current = await readIfThere(fileSystem, `${path}/CURRENT`)
  const name = /^(MANIFEST-\d+)\n$/.exec(current?.toString('latin1') ?? '')?.[1]
  const manifest = name === undefined ? null : await readIfThere(fileSystem, `${path}/${name}`)
  if (manifest === null) return null
  const live = new Map<number, LiveTable>()
  let logNumber = 0
  for (const record of logRecords(manifest)) {
    const edit = applyEdit(record, live)
    if (edit === null) break
    logNumber = edit.logNumber ?? logNumber
  }
  return { tables: [...live.values()].sort((a, b) => a.number - b.number), logNumber }
}

async function readIfThere(fileSystem: FileSystem, path: string): Promise<Buffer | null> {
  if (!(await fileSystem.exists(path))) return null
  return Buffer.from(await fileSystem.readFile(path))
}

/** Records of LevelDB's log format, up to the first that is not whole. */
export function* logRecords(bytes: Buffer): Generator<Buffer> {
  let parts: Buffer[] = []
  let offset = 0
  while (offset + headerBytes <= bytes.length) {
    const left = blockBytes - (offset % blockBytes)
    if (left < headerBytes) {
      offset += left
      continue
    }
    const end = offset + headerBytes + bytes.readUInt16LE(offset + 4)
    const kind = bytes[offset + 6]!
    if (end > bytes.length || end - offset > left) return
    const covered = bytes.subarray(offset + 6, end)
    if (maskChecksum(crc32c(covered)) !== bytes.readUInt32LE(offset)) return
    if (kind === fragment.full || kind === fragment.first) parts = []
    parts.push(covered.subarray(1))
    if (kind === fragment.full || kind === fragment.last) yield Buffer.concat(parts)
    offset = end
  }
}

/** `null` if the record cannot be read to its end. */
function applyEdit(
  record: Buffer,
  live: Map<number, LiveTable>,
): { readonly logNumber: number | null } | null {
  let at = 0
  let logNumber: number | null = null
  const varint = (): number => {
    let value = 0
    for (let scale = 1; scale < 2 ** 64; scale *= 128) {
      const byte = record[at++]
      if (byte === undefined) return NaN
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return NaN
  }
  const skipBytes = (): void => {
    const length = varint()
    at += length
  }
  while (at < record.length) {
    switch (varint()) {
      case field.comparator:
        skipBytes()
        break
      case field.logNumber:
        logNumber = varint()
        break
      case field.nextFileNumber:
      case field.lastSequence:
      case field.previousLogNumber:
        varint()
        break
      case field.compactPointer:
        varint()
        skipBytes()
        break
      case field.deletedFile: {
        varint() // The level.
        live.delete(varint())
        break
      }
      case field.newFile: {
        varint() // The level.
        const number = varint()
        live.set(number, { number, bytes: varint() })
        skipBytes()
        skipBytes()
        break
      }
      default:
        return null
    }
  }
  return at === record.length ? { logNumber } : null
}
