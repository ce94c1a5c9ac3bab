/** Bounds of one node's memory and pace. They change no verdict and may differ between nodes. */
export interface StateLimits {
  /** Conversations kept in memory once clean. @default 200,000 */
  readonly conversations: number
  /** Members of the conversations kept in memory once clean, all together. @default 2,000,000 */
  readonly members: number
  /** Inboxes of users kept in memory once clean. @default 200,000 */
  readonly inboxes: number
  /** Blocks of receipts (128 members each) kept in memory once clean. @default 50,000 */
  readonly receiptBlocks: number
  /** Blocks of push subscriptions kept in memory once clean. @default 4,096 */
  readonly pushBlocks: number
  /** Blocks of what became of events that are kept in memory once clean. @default 4,000 */
  readonly amendmentBlocks: number
  /** Bytes of events kept in memory once written. @default 8 MiB */
  readonly hotBytes: number
  /** Written verdicts kept in memory. @default 20,000 */
  readonly verdicts: number
  /** Bytes of commands applied since the last cut that make the next one due. @default 6 MiB */
  readonly checkpointBytes: number
  /** A change waits no longer than this for a cut, in ms. @default 30,000 */
  readonly checkpointIdleMs: number
  /** As `checkpointIdleMs`, while the store holds what is to be erased. @default 5,000 */
  readonly erasureIdleMs: number
  /**
   * Bytes of commands applied and not yet handed to the store at which `overloaded` turns true; at
   * twice as many that no completed cut holds, apply waits for the next one. @default 12 MiB
   */
  readonly dirtyBytes: number
  /** Bytes at which a chunk of events is full. @default 16 KiB */
  readonly chunkBytes: number
  /** Bytes of events in one page of a read; at least one event. @default 1 MiB */
  readonly pageBytes: number
}

const MIB = 1024 * 1024

export const DEFAULT_LIMITS: StateLimits = {
  conversations: 200_000,
  members: 2_000_000,
  inboxes: 200_000,
  receiptBlocks: 50_000,
  pushBlocks: 4_096,
  amendmentBlocks: 4_000,
  hotBytes: 8 * MIB,
  verdicts: 20_000,
  checkpointBytes: 6 * MIB,
  checkpointIdleMs: 30_000,
  erasureIdleMs: 5_000,
  dirtyBytes: 12 * MIB,
  chunkBytes: 16 * 1024,
  pageBytes: MIB,
}
