import type { FileSystem } from '#cluster'
import { decodeBatchRecord, type BatchRecord } from '../store/batch-record.ts'
import { logRecords, readLevelFiles } from '../store/level-manifest.ts'
import { batchRecordKey, batchRecordRange } from '../store/store-keys.ts'
import { StoreDamagedError } from '../store/store.ts'
import { TableReader } from '../store/table-verifier.ts'
import { ValueCodec } from '../store/value-codec.ts'

const TYPE_DELETION = 0
const TYPE_VALUE = 1
/** Before the operations of a batch in a log of LevelDB: sequence and count. */
const BATCH_HEAD_BYTES = 12

/** What all the files of one database hold, read without LevelDB. */
export interface StoredValues {
  readonly tables: number
  readonly values: number
  readonly bytes: number
  /** In the order of their numbers. */
  readonly records: readonly BatchRecord[]
}

interface Version {
  readonly sequence: bigint
  /** `null`: deleted. */
  readonly value: Buffer | null
}

/**
 * Reads every table and every log of the database at `path` and checks each value against its key
 * (rule K5), older versions too. Changes nothing, and takes no memory for what it has checked but the
 * records of the store's own batches.
 *
 * @throws StoreDamagedError, DatabaseError
 */
export async function readStoredValues(
  fileSystem: FileSystem,
  path: string,
): Promise<StoredValues> {
  const files = await readLevelFiles(fileSystem, path)
  if (files === null) throw damaged(`${path} has no manifest that can be read`)
  const reading = new Reading()
  for (const { number, bytes } of files.tables) {
    const name = `${String(number).padStart(6, '0')}.ldb`
    if (!(await fileSystem.exists(`${path}/${name}`))) throw damaged(`table ${name} is missing`)
    const file = await fileSystem.open(`${path}/${name}`, { create: 'never' })
    try {
      const table = new TableReader(file, name, bytes)
      await table.verify(undefined)
      for await (const { key, value } of table.pairs()) {
        const tag = key.readBigUInt64LE(key.length - 8)
        reading.take(key.subarray(0, -8), tag >> 8n, Number(tag & 0xffn), value, name)
      }
    } finally {
      await file.close()
    }
  }
  for (const name of await fileSystem.list(path)) {
    const number = /^(\d+)\.log$/.exec(name)?.[1]
    if (number === undefined || Number(number) < files.logNumber) continue
    readLog(reading, Buffer.from(await fileSystem.readFile(`${path}/${name}`)), name)
  }
  return { tables: files.tables.length, ...reading.result() }
}

/** What a torn end leaves out, the batch records miss if it was ever promised. */
function readLog(reading: Reading, bytes: Buffer, name: string): void {
  for (const record of logRecords(bytes)) {
    if (record.length < BATCH_HEAD_BYTES) throw damaged(`a batch in ${name} is cut short`)
    let sequence = record.readBigUInt64LE(0)
    let at = BATCH_HEAD_BYTES
    const text = (): Buffer => {
      let length = 0
      for (let scale = 1; ; scale *= 128) {
        const byte = record[at++]
        if (byte === undefined || scale > 2 ** 35) throw damaged(`a batch in ${name} is cut short`)
        length += (byte & 0x7f) * scale
        if (byte < 0x80) break
      }
      if (at + length > record.length) throw damaged(`a batch in ${name} is cut short`)
      at += length
      return record.subarray(at - length, at)
    }
    while (at < record.length) {
      const type = record[at++]!
      const key = text()
      reading.take(key, sequence, type, type === TYPE_VALUE ? text() : Buffer.alloc(0), name)
      sequence += 1n
    }
  }
}

class Reading {
  readonly #codec = new ValueCodec()
  readonly #own = new Map<string, Version>()
  #values = 0
  #bytes = 0

  take(key: Buffer, sequence: bigint, type: number, stored: Buffer, where: string): void {
    if (type !== TYPE_VALUE && type !== TYPE_DELETION) {
      throw damaged(`an entry in ${where} is neither a value nor a deletion`)
    }
    let value: Uint8Array | null = null
    if (type === TYPE_VALUE) {
      value = this.#codec.open(key, stored)
      this.#values += 1
      this.#bytes += stored.length
    }
    if (!isRecordKey(key)) return
    const name = key.toString('hex')
    const known = this.#own.get(name)
    if (known !== undefined && known.sequence >= sequence) return
    this.#own.set(name, { sequence, value: value === null ? null : Buffer.from(value) })
  }

  result(): Omit<StoredValues, 'tables'> {
    const records: BatchRecord[] = []
    for (const [name, { value }] of [...this.#own].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (value === null) continue
      const record = decodeBatchRecord(value)
      if (record === null || Buffer.from(batchRecordKey(record.number)).toString('hex') !== name) {
        throw damaged('a batch record cannot be read')
      }
      records.push(record)
    }
    return { values: this.#values, bytes: this.#bytes, records }
  }
}

function isRecordKey(key: Buffer): boolean {
  const { from, to } = batchRecordRange
  return Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0
}

function damaged(what: string): StoreDamagedError {
  return new StoreDamagedError(what)
}
