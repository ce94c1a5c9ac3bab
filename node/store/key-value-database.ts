/**
 * What `LevelStore` needs of an ordered key-value database. `LevelDatabase` is the real one, on the
 * `level` package; `MemoryDatabase` stands in where nothing may touch a disk.
 *
 * It is trusted with little: a batch is kept or lost whole, a batch whose `write` resolved survives
 * a crash, later batches never survive a crash that an earlier one did not. After rot it may return
 * wrong values, forget keys and forget batches without an error, or end the process (rule K5);
 * `LevelStore` and `StoreFolder` cope.
 */
export interface KeyValueDatabase {
  get(key: Uint8Array): Promise<Uint8Array | null>
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>
  /** A consistent view from the moment of the call on. */
  iterate(range: KeyRange): KeyValueIterator
  batch(): WriteBatch
  snapshot(): DatabaseSnapshot
  /** Bytes on disk and in write buffers, roughly. */
  size(): Promise<number>
  /** Gives back the room of what was deleted and replaced; reads and writes all there is. */
  compact(): Promise<void>
  /** Open iterators and snapshots end with it. */
  close(): Promise<void>
}

export interface KeyRange {
  /** First key, included. */
  readonly from: Uint8Array
  /** First key past the end. */
  readonly to: Uint8Array
  readonly reverse?: boolean
  readonly snapshot?: DatabaseSnapshot
  /** How much one `next` fetches at most, one pair at least. */
  readonly fetchBytes?: number
}

export interface KeyValueIterator {
  /** At most `count` further pairs; none only at the end. */
  next(count: number): Promise<StoredPair[]>
  close(): Promise<void>
}

export interface StoredPair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Copies what it is given at once: the caller may reuse its buffers. */
export interface WriteBatch {
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
  /** Writes all or nothing and syncs. Ends the batch. */
  write(): Promise<void>
  /** Ends the batch without writing. */
  abandon(): Promise<void>
}

export interface DatabaseSnapshot {
  close(): Promise<void>
}

export interface KeyValueDatabaseFactory {
  /** `create: true` makes a new one and fails on an old one; `false` fails if there is none. */
  open(path: string, options: { readonly create: boolean }): Promise<KeyValueDatabase>
  /**
   * Compares every checksum that the database keeps in its files, open or not. Rejects with kind
   * `corrupt`. Resolves to the bytes it read.
   */
  verify(path: string, options?: VerifyOptions): Promise<number>
  /** Removes the database and its directory; nothing there is fine. */
  remove(path: string): Promise<void>
}

export interface VerifyOptions {
  /** Awaited after each small slice of work. */
  readonly pace?: () => Promise<void>
  /** Does nothing at all if the files hold more than this. */
  readonly limitBytes?: number
}

/**
 * `corrupt`: what is on disk is not what was written. `locked`: another process has it. `closed`:
 * used after `close`. `io`: anything else, such as a full disk or too many open files, which says
 * nothing about what is stored.
 */
export type DatabaseErrorKind = 'corrupt' | 'locked' | 'closed' | 'io'

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly kind: DatabaseErrorKind

  constructor(kind: DatabaseErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
