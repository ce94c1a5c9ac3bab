import type { LostLog } from './raft/ready.ts'

/** The leader remembers more of this replica's log than the disk does (rule K1). */
export class LostLogError extends Error {
  override readonly name = 'LostLogError'
  readonly isDamage = true

  constructor(lost: LostLog) {
    super(
      `this node acknowledged its log up to ${lost.acknowledged}, and it ends at ${lost.lastIndex}: the disk forgot what it had synced. Do not start it again with this directory; replace the node (parley members replace)`,
    )
  }
}
