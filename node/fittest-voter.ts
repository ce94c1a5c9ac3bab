import type { RaftId, Replica } from '#cluster'

/**
 * Whom a leader best hands leadership to: the fittest other voter, of equals the one nearest to having
 * everything, of those one that has answered lately. `null`: none is fit.
 *
 * @param fitness 0: not to be had. Whether it answered is no bar, since each check of the quorum
 *   begins anew.
 */
export function fittestVoter(
  replica: Replica,
  fitness: (id: RaftId) => number = () => 1,
): RaftId | null {
  const [best] = replica
    .status()
    .progress.filter(({ id, learner }) => !learner && id !== replica.raftId && fitness(id) > 0)
    .toSorted(
      (a, b) =>
        fitness(b.id) - fitness(a.id) || b.match - a.match || Number(b.active) - Number(a.active),
    )
  return best?.id ?? null
}
