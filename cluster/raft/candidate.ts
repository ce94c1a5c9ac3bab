import { unreachable } from '../assert.ts'
import type { VoteMessage, VoteResponseMessage } from './messages.ts'
import { lead } from './leader.ts'
import { quorumVote } from './quorum.ts'
import type { RaftState } from './raft-state.ts'
import { NO_ONE, Role, type RaftId } from './types.ts'

/** `transfer`: the leader asked for it, no pre-vote and no stickiness stand in the way. */
export type Campaign = 'preVote' | 'vote' | 'transfer'

/** Stands for election (Raft §5.2), first asking whether it could be won (thesis §9.6). */
export function campaign(state: RaftState, kind: Campaign): void {
  if (state.role === Role.leader || !state.promotable) return
  if (kind === 'preVote') {
    state.becomePreCandidate()
    state.votes.set(state.id, true)
  } else {
    // Its own vote counts once it is on disk, like every other.
    state.becomeCandidate()
  }
  for (const id of voters(state)) requestVote(state, id, kind === 'transfer')
  countVotes(state)
}

/** Asks one voter again, as when its connection came up after the question. */
export function repeatRequest(state: RaftState, id: RaftId): void {
  if (voters(state).includes(id) && state.votes.get(id) !== true) requestVote(state, id, false)
}

/** The term and vote that this replica wrote are on disk: its own vote counts now. */
export function ownVotePersisted(state: RaftState): void {
  if (state.role !== Role.candidate) return
  state.votes.set(state.id, true)
  countVotes(state)
}

export function handleVoteResponse(state: RaftState, message: VoteResponseMessage): void {
  const expected = message.type === 'preVoteResponse' ? Role.preCandidate : Role.candidate
  if (state.role !== expected) return
  // A grant for another term than the one asked for is left from an earlier attempt.
  const granted = !message.rejected
  if (granted && message.type === 'preVoteResponse' && message.term !== state.term + 1) return
  // A grant stands; a refusal of a pre-vote may turn into one when the voter loses its leader.
  if (state.votes.get(message.from) !== true) state.votes.set(message.from, granted)
  countVotes(state)
}

/**
 * Any replica answers, whatever it believes about its own membership (rule K1): a voter may not
 * know yet that it is one. The message's term is not below this replica's.
 */
export function handleVoteRequest(state: RaftState, message: VoteMessage): void {
  const preVote = message.type === 'preVote'
  const free =
    state.vote === message.from ||
    (state.vote === NO_ONE && state.leader === NO_ONE) ||
    (preVote && message.term > state.term)
  const upToDate = state.log.isUpToDate(message.lastIndex, message.lastTerm)
  const rival = preVote && free && isBetterRival(state, message, upToDate)
  if (!free || !upToDate || rival) {
    refuseVote(state, message)
    // The asker has lost its leader too: what it refused before it may grant now.
    if (rival) repeatRequest(state, message.from)
    return
  }
  if (preVote) {
    // Changes nothing here: any number of pre-votes may be granted.
    state.send({ type: 'preVoteResponse', to: message.from, term: message.term, rejected: false })
    return
  }
  state.vote = message.from
  state.electionElapsed = 0
  state.send({ type: 'voteResponse', to: message.from, rejected: false })
}

/** Carries this replica's term: an asker that is behind adopts it. */
export function refuseVote(state: RaftState, message: VoteMessage): void {
  const type = message.type === 'preVote' ? 'preVoteResponse' : 'voteResponse'
  state.send({ type, to: message.from, rejected: true })
}

/**
 * When a leader dies all its followers ask at the same moment, and if each grants the others, they
 * split the vote. In its first round a pre-candidate therefore yields only to one that is ahead: by
 * its log, or by its id where the logs are equal. Later rounds yield to anyone, so that a replica
 * that cannot win does not hold back one that can.
 */
function isBetterRival(state: RaftState, message: VoteMessage, upToDate: boolean): boolean {
  if (state.role !== Role.preCandidate || state.preVoteRounds > 1) return false
  if (message.term > state.term + 1) return false
  if (!upToDate) return true
  const equal = message.lastIndex === state.log.lastIndex && message.lastTerm === state.log.lastTerm
  return equal && state.id > message.from && voters(state).includes(message.from)
}

function requestVote(state: RaftState, to: RaftId, transfer: boolean): void {
  if (to === state.id) return
  const preVote = state.role === Role.preCandidate
  state.send({
    type: preVote ? 'preVote' : 'vote',
    to,
    term: preVote ? state.term + 1 : state.term,
    lastIndex: state.log.lastIndex,
    lastTerm: state.log.lastTerm,
    transfer,
  })
}

function countVotes(state: RaftState): void {
  const result = quorumVote(state.quorum, (id) => state.votes.get(id))
  switch (result) {
    case 'pending':
      return
    case 'lost':
      state.becomeFollower(state.term, NO_ONE)
      return
    case 'won':
      if (state.role === Role.preCandidate) campaign(state, 'vote')
      else lead(state)
      return
    default:
      unreachable(result, 'vote result')
  }
}

function voters(state: RaftState): readonly RaftId[] {
  const { voters: incoming, outgoing } = state.quorum
  if (outgoing.length === 0) return incoming
  return [...incoming, ...outgoing.filter((id) => !incoming.includes(id))]
}
