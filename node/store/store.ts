/**
 * Durable home of the applied state: an ordered map from byte keys to byte values, filled only by
 * checkpoints (rule K3). `store.contract.ts` runs over the real one, on `level`, and the in-memory
 * one. What keys and values mean is the state machine's business; that every value returned is the
 * value written is this layer's (rule K5: a CRC over key and value, checked on every read).
 */

export interface Put {
  readonly key: Uint8Array
  /** `null` deletes. */
  readonly value: Uint8Array | null
}

/** Where in the log a checkpoint stands. */
export interface CutPosition {
  readonly index: number
  readonly term: number
}

export interface Cut extends CutPosition {
  /**
   * Immutable values, new keys only. Written ahead in numbered batches of at most 1 MiB; those
   * past the newest cut are written again, identical, by the replay after a crash.
   */
  readonly ahead: Iterable<Put>
  /** Every changed mutable object as of `index`, written as one batch. */
  readonly objects: Iterable<Put>
}

export interface Store {
  /** The newest complete cut, `null` in an empty store. */
  readonly cut: CutPosition | null
  /** The cut before it: the log is kept from here on (rule K3). */
  readonly previousCut: CutPosition | null

  /** Throws `StoreDamagedError` if the value is not the one written. */
  get(key: Uint8Array): Promise<Uint8Array | null>
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>
  /** Pairs with `from <= key < to` in ascending order, or from the end with `reverse`. */
  range(
    from: Uint8Array,
    to: Uint8Array,
    options?: { reverse?: boolean; limit?: number },
  ): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>

  /**
   * Writes one checkpoint: ahead batches, then the cut, each synced, one at a time, pulling from
   * the iterables in slices of at most 2 ms. One at a time; rejects with the first error, which is
   * final for the process.
   */
  checkpoint(cut: Cut): Promise<void>

  /** Pins everything as of the newest cut (rule K6), unmoved by later checkpoints. */
  snapshot(): Promise<StoreSnapshot>
  size(): Promise<{ bytes: number }>
  close(): Promise<void>
}

export interface StoreSnapshot {
  readonly cut: CutPosition
  /** All pairs in key order, values verified. */
  pairs(): AsyncIterable<{ key: Uint8Array; value: Uint8Array }>
  close(): Promise<void>
}

/** A directory that a snapshot is being written into; it becomes the store only by `activate`. */
export interface StoreInstall {
  write(pairs: readonly Put[]): Promise<void>
  /** Writes the cut record, syncs and reads everything back. */
  finish(cut: CutPosition): Promise<void>
  /**
   * Renames the pointer and syncs its directory: from here on a restart opens the new store.
   * Resolves to the open new store; the old directory is removed afterwards by `retire`.
   */
  activate(): Promise<{ store: Store; retire: () => Promise<void> }>
  abort(): Promise<void>
}

/** Bit rot, a hole in the batch numbers, a missing key that must be there. Discard the store (K3). */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError'
  readonly code = 'STORE_DAMAGED'
}
