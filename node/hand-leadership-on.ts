import type { RaftId, Replica } from '#cluster'
import { fittestVoter } from './fittest-voter.ts'

/**
 * Gives leadership, if the node has it, to the fittest voter. Says whether there is anybody to give it
 * to.
 */
export function handLeadershipOn(
  replica: Replica | null,
  fitness?: (id: RaftId) => number,
): boolean {
  if (replica === null || replica.leader !== replica.raftId) return false
  const best = fittestVoter(replica, fitness)
  if (best !== null) replica.transferLeadership(best)
  return best !== null
}
