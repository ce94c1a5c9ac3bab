const MIB = 1024 * 1024

/** How much room the disk of a node has, each worse than the one before (rule K9). */
export const DiskLevel = {
  ok: 0,
  /** Not enough to lead: what is written now fills it soon. */
  low: 1,
  /** Enough to end what was begun: nothing new but what is small, or makes room. */
  hard: 2,
  /** And part of the log's reserve is used up: only what makes room. */
  spent: 3,
} as const
export type DiskLevel = (typeof DiskLevel)[keyof typeof DiskLevel]

/** Bytes that are free on the file system of the data. */
export interface DiskLimits {
  /** Below it a node leads only if nobody else can; a majority below it takes no writes. */
  readonly lowBytes: number
  /** Below it a node takes only what is small or makes room. */
  readonly hardBytes: number
  /** Kept in a file of zeros, given up for a start or a compaction on a full disk. */
  readonly reserveBytes: number
}

/**
 * Hard leaves room for what is under way: a segment of the log (64 MiB), and checkpoints of what was
 * applied (24 MiB) with what the store rewrites for them. Low adds what the log keeps for peers that
 * lag (256 MiB), twice over for what comes in until somebody looks. The reserve is what the store's
 * largest compaction writes before it deletes.
 */
export const DEFAULT_DISK_LIMITS: DiskLimits = {
  lowBytes: 512 * MIB,
  hardBytes: 128 * MIB,
  reserveBytes: 64 * MIB,
}

/**
 * For clusters on the machine of a developer, whose disk is not theirs. Less is refused: a compaction
 * of a busy store writes up to some 110 MiB (twelve tables of 8 MiB and what they fall into) before it
 * deletes what they replace, and without that much room the node ends and has to be started again.
 */
export const DEV_DISK_LIMITS: DiskLimits = {
  lowBytes: 64 * MIB,
  hardBytes: 32 * MIB,
  reserveBytes: 0,
}

/**
 * The level for so many free bytes, after the one before: a level is left again a tenth above its
 * bound, so that nobody goes back and forth at it.
 */
export function diskLevel(before: DiskLevel, freeBytes: number, limits: DiskLimits): DiskLevel {
  const { lowBytes, hardBytes } = limits
  if (freeBytes < hardBytes || (before >= DiskLevel.hard && freeBytes < hardBytes * 1.1)) {
    return DiskLevel.hard
  }
  if (freeBytes < lowBytes || (before >= DiskLevel.low && freeBytes < lowBytes * 1.1)) {
    return DiskLevel.low
  }
  return DiskLevel.ok
}

/** More than log and store of a node write together, in bytes per ms. */
const FASTEST_FILL = 256 * 1024
const LOOK_MS = { least: 100, most: 1_000 } as const

/**
 * When to look at the disk again, in ms: the nearer the next worse bound, the sooner, so that a fast
 * writer does not pass it, and all that is left below it, between two looks. At hard there is none.
 */
export function lookAfterMs(level: DiskLevel, freeBytes: number, limits: DiskLimits): number {
  if (level >= DiskLevel.hard) return LOOK_MS.most
  const bound = level === DiskLevel.ok ? limits.lowBytes : limits.hardBytes
  const filledAfterMs = (freeBytes - bound) / FASTEST_FILL
  return Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, filledAfterMs))
}
