import { assert, type SnapshotMeta, type SnapshotSink } from '#cluster'
import type { Store, StoreInstall } from '../store/store.ts'
import { SnapshotDamagedError, SnapshotDecoder } from './snapshot-codec.ts'

/** What an activated store replaces the live state by. */
export type TakeOver = (store: Store, retire: () => Promise<void>) => Promise<void>

/**
 * Writes a peer's snapshot into a store of its own, beside the live state, each frame verified as it
 * comes and the whole before it may take over (rule K6).
 */
export class SnapshotInstall implements SnapshotSink {
  readonly #meta: SnapshotMeta
  readonly #install: StoreInstall
  readonly #decoder: SnapshotDecoder
  readonly #takeOver: TakeOver
  #offset = 0
  #writing = false
  #finished = false

  constructor(meta: SnapshotMeta, install: StoreInstall, takeOver: TakeOver) {
    this.#meta = meta
    this.#install = install
    this.#takeOver = takeOver
    this.#decoder = new SnapshotDecoder(meta)
  }

  /** Bytes taken in, whole frames durable, the rest kept: the stream goes on from here. */
  get offset(): number {
    return this.#offset
  }

  async write(bytes: Uint8Array): Promise<void> {
    assert(!this.#writing && !this.#finished, 'a snapshot is written out of turn')
    this.#writing = true
    // The caller may use its buffer again.
    const pairs = this.#decoder.push(new Uint8Array(bytes))
    if (pairs.length > 0) await this.#install.write(pairs)
    this.#offset += bytes.length
    this.#writing = false
  }

  async finish(): Promise<void> {
    assert(!this.#writing && !this.#finished, 'a snapshot ends out of turn')
    if (!this.#decoder.complete) throw new SnapshotDamagedError('the snapshot ended too early')
    const { index, term } = this.#meta
    await this.#install.finish({ index, term })
    this.#finished = true
  }

  async activate(): Promise<void> {
    assert(this.#finished, 'a snapshot takes over before it was verified')
    const { store, retire } = await this.#install.activate()
    await this.#takeOver(store, retire)
  }

  abort(): Promise<void> {
    return this.#install.abort()
  }
}
