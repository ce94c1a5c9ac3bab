/** Knobs of a replica. Ticks are the core's only notion of time. */
export interface ReplicaOptions {
  /** Which group of replicas this is; everything today is group 0. @default 0 */
  readonly groupId: number
  /** @default 100 */
  readonly tickMs: number
  /** A leader beats every tick; a follower campaigns after 10 to 20 silent ones. @default 10 */
  readonly electionTicks: number
  /** Commands gathered into one entry at most, unless a single one is larger. @default 256 KiB */
  readonly maxBatchBytes: number
  /** Commands waiting to be proposed; beyond it the door is shut. @default 64 MiB */
  readonly maxPendingBytes: number
  /** Of them while checkpoints catch up (rule K3); also bounds how long a write waits. @default 4 MiB */
  readonly maxHeldBytes: number
  /** Entries that wait this long to be applied hold up further proposals, in ms. @default 500 */
  readonly maxApplyLagMs: number
  /** Checkpoints that free nothing for this long shut the door too, in ms. @default 2,000 */
  readonly maxHoldMs: number
  /** A log up to this large is kept for peers that lag (rule K3). @default 256 MiB */
  readonly trailingLogBytes: number
  /** Of a snapshot, sent at a time. @default 1 MiB */
  readonly snapshotChunkBytes: number
}

export const DEFAULT_REPLICA_OPTIONS: ReplicaOptions = {
  groupId: 0,
  tickMs: 100,
  electionTicks: 10,
  maxBatchBytes: 256 << 10,
  maxPendingBytes: 64 << 20,
  maxHeldBytes: 4 << 20,
  maxApplyLagMs: 500,
  maxHoldMs: 2_000,
  trailingLogBytes: 256 << 20,
  snapshotChunkBytes: 1 << 20,
}
