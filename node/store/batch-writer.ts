import { assert } from '#cluster'
import { BatchKind, encodeBatchRecord, type BatchRecord } from './batch-record.ts'
import { encodeKeyList, listedBytes } from './key-list.ts'
import type { KeyValueDatabase, WriteBatch } from './key-value-database.ts'
import type { RecordHistory } from './record-history.ts'
import { aheadListKey, assertOutsideKey, batchRecordKey } from './store-keys.ts'
import type { CutPosition } from './store.ts'
import type { ValueCodec } from './value-codec.ts'

/** An ahead batch is at most this long, its record and key list included (rule K3). */
const maxAheadBatchBytes = 1024 * 1024
/** Bounds one ahead pair, so that a batch always has room for it and for what describes it. */
export const maxAheadPairBytes = 1_000_000
/** Room for the record, the list's own key and checksums. */
const batchOverheadBytes = 256

/** A batch being filled. Not numbered before it is committed. */
export interface OpenBatch {
  readonly batch: WriteBatch
  readonly keys: Uint8Array[]
  /** Keys and values, as stored. */
  bytes: number
  listBytes: number
}

/** Writes numbered batches, one at a time, each with its record in it (rule K3). */
export class BatchWriter {
  readonly #database: KeyValueDatabase
  readonly #codec: ValueCodec
  readonly #history: RecordHistory
  #isWriting = false

  constructor(database: KeyValueDatabase, codec: ValueCodec, history: RecordHistory) {
    this.#database = database
    this.#codec = codec
    this.#history = history
  }

  begin(): OpenBatch {
    return { batch: this.#database.batch(), keys: [], bytes: 0, listBytes: 0 }
  }

  put(open: OpenBatch, key: Uint8Array, value: Uint8Array): void {
    assertOutsideKey(key)
    const stored = this.#codec.seal(key, value)
    open.batch.put(key, stored)
    open.bytes += key.length + stored.length
  }

  delete(open: OpenBatch, key: Uint8Array): void {
    assertOutsideKey(key)
    open.batch.delete(key)
    open.bytes += key.length
  }

  /** As `put`, and remembers the key, so that an open after a crash can take it back. */
  putAhead(open: OpenBatch, key: Uint8Array, value: Uint8Array): void {
    assert(key.length + value.length < maxAheadPairBytes, 'an ahead value is too long')
    this.put(open, key, value)
    open.keys.push(key)
    open.listBytes += listedBytes(key)
  }

  /** Whether one more ahead pair keeps the batch within its bound. */
  hasRoom(open: OpenBatch, key: Uint8Array, value: Uint8Array): boolean {
    const added = key.length + value.length + listedBytes(key)
    return open.bytes + open.listBytes + added + batchOverheadBytes <= maxAheadBatchBytes
  }

  /** Durable when it resolves. After an error nothing may be written any more. */
  async commit(open: OpenBatch, kind: BatchKind, position: CutPosition): Promise<BatchRecord> {
    assert(!this.#isWriting, 'store batches are written one at a time')
    this.#isWriting = true
    const history = this.#history
    const record = history.draft(kind, position, open.bytes)
    if (kind === BatchKind.ahead) {
      if (open.keys.length > 0)
        this.#putOwn(open, aheadListKey(record.number), encodeKeyList(open.keys))
    } else {
      for (const number of history.openAhead) open.batch.delete(aheadListKey(number))
    }
    for (let number = history.firstNumber; number < record.kept; number++) {
      open.batch.delete(batchRecordKey(number))
    }
    this.#putOwn(open, batchRecordKey(record.number), encodeBatchRecord(record))
    await open.batch.write()
    history.accept(record)
    this.#isWriting = false
    return record
  }

  #putOwn(open: OpenBatch, key: Uint8Array, value: Uint8Array): void {
    open.batch.put(key, this.#codec.seal(key, value))
  }
}
