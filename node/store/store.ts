/**
 * Durable home of the applied state: an ordered map from byte keys to byte values, filled only by
 * checkpoints (rule K3). `store.contract.ts` runs over the real one, on `level`, and the in-memory
 * one. What keys and values mean is the state machine's business; that every value returned is a
 * value that was written under that key is this layer's (rule K5: a CRC over key and value, checked
 * on every read). That a key is *absent* is not proven here: a rotten table may lose one without an
 * error until `scrub` meets it, so whoever knows that a key must exist takes `null` for damage.
 *
 * Keys are 1 to 1,024 bytes and never begin with the byte 0, which is the store's own. Arrays passed
 * in belong to the store until the promise settles; arrays handed out belong to the caller.
 */

export interface Put {
  readonly key: Uint8Array
  /** `null` deletes. */
  readonly value: Uint8Array | null
}

export interface Pair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Where in the log a checkpoint stands. */
export interface CutPosition {
  readonly index: number
  readonly term: number
}

export interface Cut extends CutPosition {
  /**
   * Immutable values under keys that the store does not hold and no other part of this cut uses;
   * never deletions; key and value together below 1,000,000 bytes. Written ahead in numbered batches
   * of at most 1 MiB and visible to `get` and `range` as they become durable. Opening after a crash
   * removes those past the newest cut: an opened store holds that cut exactly, and the replay writes
   * them again.
   */
  readonly ahead: Iterable<Put>
  /** Every changed mutable object as of `index`, each key once, written as one batch. */
  readonly objects: Iterable<Put>
  /**
   * Asked between slices: 0 leaves most of the thread to others, 1 leaves them one turn of the event
   * loop between two slices. @default 0
   */
  readonly urgency?: () => number
}

export interface Store {
  /** The newest complete cut, `null` in an empty store. */
  readonly cut: CutPosition | null
  /**
   * The cut before it: the log is kept from here on (rule K3). `null` while there is only one, also
   * right after an install, whose log starts at that one cut.
   */
  readonly previousCut: CutPosition | null

  /** Throws `StoreDamagedError` if the value is not the one written. */
  get(key: Uint8Array): Promise<Uint8Array | null>
  /** One answer per key, in the order of the keys. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>
  /**
   * Pairs with `from <= key < to` in ascending order, or from the end with `reverse`; as of the
   * moment of the first step, whatever is written meanwhile.
   */
  range(
    from: Uint8Array,
    to: Uint8Array,
    options?: { readonly reverse?: boolean; readonly limit?: number },
  ): AsyncIterable<Pair>

  /**
   * Writes one checkpoint: ahead batches, then the cut, each synced, one at a time, pulling from
   * the iterables in slices of at most 2 ms. Its index must be above the newest cut's. Resolves when
   * the cut is durable and would be missed at the next open. One at a time; rejects with the first
   * error, which is final: this store writes nothing more and the process must end. If that error is
   * a `StoreDamagedError`, `StoreDirectory.discard` first, or the next start meets it again.
   */
  checkpoint(cut: Cut): Promise<void>

  /**
   * Pins everything as of the newest cut (rule K6), unmoved by later checkpoints, a running one
   * included: no half of a cut and no ahead value past it. An empty store has none: asking is a bug.
   * While it is open, disk space of what it pins is not freed.
   */
  snapshot(): Promise<StoreSnapshot>
  /** Bytes on disk and in write buffers, roughly. */
  size(): Promise<{ bytes: number }>
  /**
   * Reads every file in the background, in paced slices, and compares the checksums that ordinary
   * reads skip. Throws `StoreDamagedError`: this is what notices keys that rot made invisible.
   */
  scrub(): Promise<{ bytes: number }>
  /**
   * Gives back the room of what cuts deleted and replaced, as far as no snapshot pins it. Long and
   * heavy: reads and writes everything, on another thread.
   */
  compact(): Promise<void>
  /** Ends a running checkpoint at its next step (it rejects), open snapshots and iterations too. */
  close(): Promise<void>
}

export interface StoreSnapshot {
  readonly cut: CutPosition
  /** All pairs in ascending key order, values verified. May be walked more than once. */
  pairs(): AsyncIterable<Pair>
  close(): Promise<void>
}

/** The directory of a node's store: opens it, replaces it by a snapshot, throws it away. */
export interface StoreDirectory {
  /** The store in force; `null` while it is damaged and not yet discarded. */
  readonly store: Store | null
  /** Why the store found at open cannot be used. Nothing was changed on disk. */
  readonly damaged: StoreDamagedError | null
  /** Begins an install beside the store in force. One at a time. */
  install(): Promise<StoreInstall>
  /** Removes the store, damaged or not, and resolves to an empty one in its place. Durable. */
  discard(): Promise<Store>
  /** Closes the store in force and an unfinished install. */
  close(): Promise<void>
}

/** A directory that a snapshot is being written into; it becomes the store only by `activate`. */
export interface StoreInstall {
  /** Each key once over all calls, in any order; no deletions. Durable when it resolves. */
  write(pairs: readonly Pair[]): Promise<void>
  /** Writes the cut record, syncs and reads everything back. */
  finish(cut: CutPosition): Promise<void>
  /**
   * Renames the pointer and syncs its directory: from here on a restart opens the new store.
   * Resolves to the open new store; the old one stays readable until `retire` closes and removes it.
   */
  activate(): Promise<{ store: Store; retire: () => Promise<void> }>
  /** Removes what was written. Harmless after `activate`. */
  abort(): Promise<void>
}

/** Bit rot, a hole in the batch numbers, a missing key that must be there. Discard the store (K3). */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError'
  readonly code = 'STORE_DAMAGED'
}
