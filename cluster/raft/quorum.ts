import type { RaftId } from './types.ts'

/**
 * Majority arithmetic over the voters in force. `outgoing` is empty outside joint consensus; with
 * both halves present a decision needs a majority of each (Raft §6).
 */
export interface Quorum {
  readonly voters: readonly RaftId[]
  readonly outgoing: readonly RaftId[]
}

export type VoteResult = 'won' | 'lost' | 'pending'

/** The greatest value that a majority of each half has reached. `valueOf` is 0 for the unknown. */
export function quorumIndex(quorum: Quorum, valueOf: (id: RaftId) => number): number {
  return Math.min(majorityIndex(quorum.voters, valueOf), majorityIndex(quorum.outgoing, valueOf))
}

/** Won by a majority of each half, lost as soon as one half cannot be won any more. */
export function quorumVote(
  quorum: Quorum,
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  const voters = majorityVote(quorum.voters, voteOf)
  const outgoing = majorityVote(quorum.outgoing, voteOf)
  if (voters === 'lost' || outgoing === 'lost') return 'lost'
  return voters === 'won' && outgoing === 'won' ? 'won' : 'pending'
}

/** An empty half decides nothing: it never holds the other one back. */
function majorityIndex(ids: readonly RaftId[], valueOf: (id: RaftId) => number): number {
  if (ids.length === 0) return Infinity
  // Sorted by insertion: there are a handful of voters, and this runs for every acknowledgement.
  const sorted: number[] = []
  for (const id of ids) {
    const value = valueOf(id)
    let at = sorted.length
    while (at > 0 && sorted[at - 1]! < value) {
      sorted[at] = sorted[at - 1]!
      at--
    }
    sorted[at] = value
  }
  return sorted[Math.floor(ids.length / 2)]!
}

function majorityVote(
  ids: readonly RaftId[],
  voteOf: (id: RaftId) => boolean | undefined,
): VoteResult {
  if (ids.length === 0) return 'won'
  let granted = 0
  let refused = 0
  for (const id of ids) {
    const vote = voteOf(id)
    if (vote === true) granted++
    else if (vote === false) refused++
  }
  const needed = Math.floor(ids.length / 2) + 1
  if (granted >= needed) return 'won'
  return ids.length - refused < needed ? 'lost' : 'pending'
}
