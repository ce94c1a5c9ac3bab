/** One key and its new value; `null` removes it. */
export type Assignment = readonly [key: string, value: Uint8Array | null]

/** An ordered key-value database under a `DurableStore`, held by one process at a time. */
export interface StoreDatabase {
  /** Everything, in the order of the keys. */
  readAll(): Promise<readonly (readonly [key: string, value: Uint8Array])[]>
  /** Resolves when all of the batch survives a crash; before that all of it may be there or none. */
  write(batch: readonly Assignment[]): Promise<void>
  close(): Promise<void>
}
