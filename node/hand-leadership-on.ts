import type { Replica } from '#cluster'

/** Gives leadership, if the node has it, to the voter that is nearest to having everything. */
export function handLeadershipOn(replica: Replica | null): void {
  if (replica === null || replica.leader !== replica.raftId) return
  const best = replica
    .status()
    .progress.filter(({ id, learner }) => !learner && id !== replica.raftId)
    .sort((a, b) => b.match - a.match)[0]
  if (best !== undefined) replica.transferLeadership(best.id)
}
