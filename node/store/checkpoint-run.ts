import { assert, type Failpoints } from '#cluster'
import { BatchKind, type BatchRecord } from './batch-record.ts'
import type { BatchWriter, OpenBatch } from './batch-writer.ts'
import type { SlicePacer } from './slice-pacer.ts'
import type { Cut } from './store.ts'

/**
 * One checkpoint: ahead batches, then the cut batch, filled in paced slices (rule K3). `assertGoing`
 * is asked after every wait and throws to end the run.
 */
export class CheckpointRun {
  readonly #writer: BatchWriter
  readonly #pacer: SlicePacer
  readonly #failpoints: Failpoints
  readonly #assertGoing: () => void
  #open: OpenBatch | null = null
  #urgency: () => number = () => 0

  constructor(parts: {
    writer: BatchWriter
    pacer: SlicePacer
    failpoints: Failpoints
    assertGoing: () => void
  }) {
    this.#writer = parts.writer
    this.#pacer = parts.pacer
    this.#failpoints = parts.failpoints
    this.#assertGoing = parts.assertGoing
  }

  /** Resolves to the record of the cut once it is synced. */
  async write(cut: Cut): Promise<BatchRecord> {
    this.#urgency = cut.urgency ?? this.#urgency
    try {
      await this.#writeAhead(cut)
      return await this.#writeObjects(cut)
    } catch (error) {
      await this.#open?.batch.abandon()
      throw error
    }
  }

  async #writeAhead(cut: Cut): Promise<void> {
    for (const { key, value } of cut.ahead) {
      assert(value !== null, 'ahead values are never deletions')
      if (this.#open !== null && !this.#writer.hasRoom(this.#open, key, value)) {
        await this.#commit(BatchKind.ahead, cut)
      }
      this.#open ??= this.#writer.begin()
      this.#writer.putAhead(this.#open, key, value)
      if (this.#pacer.due()) await this.#pause()
    }
    if (this.#open !== null) await this.#commit(BatchKind.ahead, cut)
  }

  async #writeObjects(cut: Cut): Promise<BatchRecord> {
    this.#open = this.#writer.begin()
    for (const { key, value } of cut.objects) {
      if (value === null) this.#writer.delete(this.#open, key)
      else this.#writer.put(this.#open, key, value)
      if (this.#pacer.due()) await this.#pause()
    }
    this.#failpoints.hit('checkpoint.indexUnwritten')
    return this.#commit(BatchKind.cut, cut)
  }

  async #commit(kind: BatchKind, cut: Cut): Promise<BatchRecord> {
    const open = this.#open
    assert(open !== null, 'there is a batch to commit')
    this.#open = null
    const record = await this.#writer.commit(open, kind, cut)
    this.#pacer.restart()
    this.#assertGoing()
    if (kind === BatchKind.ahead) this.#failpoints.hit('checkpoint.aheadWritten')
    return record
  }

  async #pause(): Promise<void> {
    await this.#pacer.pause(this.#urgency())
    this.#failpoints.hit('checkpoint.sliceMade')
    this.#assertGoing()
  }
}
