import { type CommittedConfiguration, findMember } from '../raft/configuration.ts'
import type { RaftId } from '../raft/types.ts'

/**
 * Whether a replica may believe a peer that says: by `index`, which is committed, you are no member. The
 * peer may only be behind, and not know the replica yet. But ids are never used again (rule K1): if the
 * replica's own log has it among the members at an earlier index, it was removed in between.
 */
export function wasRemovedBy(
  index: number,
  self: RaftId,
  { index: known, configuration }: CommittedConfiguration,
): boolean {
  return index > known && findMember(configuration, self) !== undefined
}
