import type { RaftId, Replica } from '#cluster'

/**
 * Gives leadership, if the node has it, to the fittest voter, and of several to the one that is nearest
 * to having everything. Says whether there is anybody to give it to.
 */
export function handLeadershipOn(
  replica: Replica | null,
  fitness: (id: RaftId) => number = () => 1,
): boolean {
  if (replica === null || replica.leader !== replica.raftId) return false
  const best = replica
    .status()
    .progress.filter(({ id, learner }) => !learner && id !== replica.raftId && fitness(id) > 0)
    .sort((a, b) => fitness(b.id) - fitness(a.id) || b.match - a.match)[0]
  if (best === undefined) return false
  replica.transferLeadership(best.id)
  return true
}
