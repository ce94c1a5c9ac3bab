import type { RaftId } from '#cluster'
import { DiskLevel } from './disk-level.ts'

/** What a leader lets into the log. */
export interface DiskDoor {
  readonly takesWrites: boolean
  readonly takesCursors: boolean
}

/**
 * Whether enough voters have room (rule K9). `levelOf` says `null` for a voter that is not reached:
 * it counts for nobody once another is short of room, for its place in a majority may be needed.
 */
export function diskDoor(
  self: RaftId,
  voters: readonly RaftId[],
  levelOf: (id: RaftId) => DiskLevel | null,
): DiskDoor {
  const levels = voters.map(levelOf)
  const majority = (voters.length >> 1) + 1
  const atMost = (most: DiskLevel) =>
    levels.filter((level) => level !== null && level <= most).length
  const isWorse = (than: DiskLevel) => levels.some((level) => level !== null && level > than)
  const own = levelOf(self) ?? DiskLevel.ok
  return {
    takesWrites:
      own < DiskLevel.hard && (!isWorse(DiskLevel.ok) || atMost(DiskLevel.ok) >= majority),
    takesCursors:
      own < DiskLevel.spent && (!isWorse(DiskLevel.hard) || atMost(DiskLevel.hard) >= majority),
  }
}
