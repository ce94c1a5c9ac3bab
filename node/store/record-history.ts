import { assert } from '#cluster'
import { BatchKind, chainRecord, chainStart, type BatchRecord } from './batch-record.ts'
import { StoreDamagedError, type CutPosition } from './store.ts'
import type { Promised } from './store-seal.ts'

/**
 * Records are kept, beyond what the last two cuts need, while this many bytes of batches follow
 * them. A whole write buffer that the database forgets (a manifest cut short) then takes records with
 * it that are missed, even when many small cuts came after it.
 */
const keptBytes = 64 * 1024 * 1024
const keptRecords = 8192

/**
 * The numbered batches of a store as their records tell: which number comes next, which cuts there
 * are, which records may go. Built at open, where every loss must show (rule K3).
 */
export class RecordHistory {
  readonly #records: BatchRecord[]
  #bytes: number
  #cut: BatchRecord | null = null
  #previousCut: BatchRecord | null = null
  #openAhead: number[] = []

  private constructor(records: readonly BatchRecord[]) {
    this.#records = [...records]
    this.#bytes = records.reduce((sum, record) => sum + record.bytes, 0)
    for (const record of records) this.#note(record)
  }

  static empty(): RecordHistory {
    return new RecordHistory([])
  }

  /**
   * Checks all records a store holds, in the order of their keys, against each other and against
   * what was promised. Throws `StoreDamagedError` for a hole, an altered record, a lost promise.
   */
  static verify(records: readonly BatchRecord[], promised: Promised | null): RecordHistory {
    verifyChain(records)
    const history = new RecordHistory(records)
    verifyStart(history)
    verifyPromise(records, promised)
    return history
  }

  get cut(): BatchRecord | null {
    return this.#cut
  }

  get previousCut(): BatchRecord | null {
    return this.#previousCut
  }

  /** Ahead batches that no cut has completed and no undo has removed. */
  get openAhead(): readonly number[] {
    return this.#openAhead
  }

  get nextNumber(): number {
    return (this.#records.at(-1)?.number ?? 0) + 1
  }

  get firstNumber(): number {
    return this.#records[0]?.number ?? this.nextNumber
  }

  /**
   * The record of the next batch, and the number below which that batch deletes older records:
   * only cuts do, and only what is older than both cuts that would be left if this one were lost.
   */
  draft(kind: BatchKind, position: CutPosition, bytes: number): BatchRecord {
    assert(
      kind !== BatchKind.cut || this.#cut === null || position.index > this.#cut.index,
      'a cut must be past the newest one',
    )
    const number = this.nextNumber
    const kept = kind === BatchKind.cut ? this.#lowestToKeep() : this.firstNumber
    assert(kept >= 1 && kept <= number, 'a batch keeps its own record')
    const { index, term } = position
    const previousChain = this.#records.at(-1)?.chain ?? chainStart
    return chainRecord({ number, kind, index, term, kept, bytes }, previousChain)
  }

  /** The batch of this record is durable. */
  accept(record: BatchRecord): void {
    assert(record.number === this.nextNumber, 'batches are accepted in the order of their numbers')
    const dropped = this.#records.splice(0, record.kept - this.firstNumber)
    for (const old of dropped) this.#bytes -= old.bytes
    this.#records.push(record)
    this.#bytes += record.bytes
    this.#note(record)
  }

  #note(record: BatchRecord): void {
    if (record.kind === BatchKind.ahead) {
      this.#openAhead.push(record.number)
      return
    }
    this.#openAhead = []
    if (record.kind !== BatchKind.cut) return
    this.#previousCut = this.#cut
    this.#cut = record
  }

  #lowestToKeep(): number {
    let lowest = this.firstNumber
    if (this.#previousCut === null) return lowest
    let following = this.#bytes
    for (const record of this.#records) {
      following -= record.bytes
      const isRecent = following < keptBytes && this.nextNumber - record.number < keptRecords
      if (record.number >= this.#previousCut.number || isRecent) break
      lowest = record.number + 1
    }
    return lowest
  }
}

function verifyChain(records: readonly BatchRecord[]): void {
  let previous: BatchRecord | null = null
  let newestCut: BatchRecord | null = null
  for (const record of records) {
    if (previous !== null && record.number !== previous.number + 1) {
      throw damaged(`batches ${previous.number + 1} to ${record.number - 1} are missing`)
    }
    if (record.kept > record.number) throw damaged(`batch ${record.number} keeps no records`)
    // The chain before the first record is known only at the very beginning.
    if (previous !== null || record.number === 1) {
      const expected = chainRecord(record, previous?.chain ?? chainStart).chain
      if (record.chain !== expected)
        throw damaged(`the record of batch ${record.number} was altered`)
    }
    if (record.kind === BatchKind.cut) {
      if (newestCut !== null && record.index <= newestCut.index) {
        throw damaged(`cut ${record.number} is not past the cut before it`)
      }
      newestCut = record
    }
    previous = record
  }
}

function verifyStart(history: RecordHistory): void {
  const expected = history.cut?.kept ?? 1
  if (history.firstNumber !== expected) {
    throw damaged(`its records start at batch ${history.firstNumber} instead of ${expected}`)
  }
  if (expected > 1 && history.previousCut === null) throw damaged('the cut before the last is gone')
}

function verifyPromise(records: readonly BatchRecord[], promised: Promised | null): void {
  if (promised === null) throw damaged('its seal is gone or cannot be read')
  if (promised.number === 0) return
  const record = records.find((candidate) => candidate.number === promised.number)
  if (record === undefined)
    throw damaged(`batch ${promised.number}, an acknowledged cut, is missing`)
  if (record.kind !== BatchKind.cut || record.chain !== promised.chain) {
    throw damaged(`batch ${promised.number} is not the cut that was acknowledged`)
  }
}

function damaged(what: string): StoreDamagedError {
  return new StoreDamagedError(`the store must be discarded: ${what}`)
}
