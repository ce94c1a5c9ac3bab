import { assert, unreachable } from '../assert.ts'
import { campaign, handleVoteRequest, handleVoteResponse, refuseVote } from './candidate.ts'
import {
  answerStaleLeader,
  handleAppend,
  handleCommit,
  handleHeartbeat,
  handleReadIndexResponse,
  handleSnapshot,
  hearLeader,
} from './follower.ts'
import { handleAppendResponse, handleHeartbeatResponse, requestRead } from './leader.ts'
import type { Message } from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { NO_ONE, Role, type RaftId } from './types.ts'

/** Takes a peer's message: first what its term means (Raft §5.1), then what it says. */
export function step(state: RaftState, message: Message): void {
  assert(message.to === state.id, `a message for ${message.to} reached ${state.id}`)
  if (message.term < state.term) {
    answerStale(state, message)
    return
  }
  if (message.term > state.term && !enterTerm(state, message)) return
  dispatch(state, message)
}

/** False if the message is to be dropped: a voter that hears its leader is not moved. */
function enterTerm(state: RaftState, message: Message): boolean {
  switch (message.type) {
    case 'preVote':
    case 'vote':
      if (state.hearsLeader && !message.transfer) {
        // Thesis §4.2.3. The asker of a pre-vote is told; a candidate will hear the leader.
        if (message.type === 'preVote') refuseVote(state, message)
        return false
      }
      if (message.type === 'vote') state.becomeFollower(message.term, NO_ONE)
      return true
    case 'preVoteResponse':
      // A grant speaks of a term to come; a refusal of one that the voter has entered.
      if (message.rejected) state.becomeFollower(message.term, NO_ONE)
      return true
    case 'append':
    case 'commit':
    case 'heartbeat':
    case 'snapshot':
      state.becomeFollower(message.term, message.from)
      return true
    default:
      state.becomeFollower(message.term, NO_ONE)
      return true
  }
}

/** Raft §5.1: what comes from an older term is refused, in a way that teaches the sender. */
function answerStale(state: RaftState, message: Message): void {
  switch (message.type) {
    case 'append':
    case 'heartbeat':
    case 'snapshot':
      // Else a leader that was cut off, or a candidate nobody may vote for, would stay so for ever.
      answerStaleLeader(state, message.from)
      return
    case 'preVote':
    case 'vote':
      refuseVote(state, message)
      return
    default:
      return
  }
}

function dispatch(state: RaftState, message: Message): void {
  switch (message.type) {
    case 'append':
      hearLeader(state, message.from)
      handleAppend(state, message)
      return
    case 'commit':
      hearLeader(state, message.from)
      handleCommit(state, message)
      return
    case 'heartbeat':
      hearLeader(state, message.from)
      handleHeartbeat(state, message)
      return
    case 'snapshot':
      hearLeader(state, message.from)
      handleSnapshot(state, message)
      return
    case 'preVote':
    case 'vote':
      handleVoteRequest(state, message)
      return
    case 'preVoteResponse':
    case 'voteResponse':
      handleVoteResponse(state, message)
      return
    case 'appendResponse':
      if (state.role === Role.leader) handleAppendResponse(state, message)
      return
    case 'heartbeatResponse':
      if (state.role === Role.leader) handleHeartbeatResponse(state, message)
      return
    case 'timeoutNow':
      if (state.role === Role.follower) campaign(state, 'transfer')
      return
    case 'readIndex':
      answerRead(state, message.from, message.readId)
      return
    case 'readIndexResponse':
      handleReadIndexResponse(state, message)
      return
    default:
      unreachable(message, 'message')
  }
}

function answerRead(state: RaftState, from: RaftId, readId: number): void {
  if (state.role === Role.leader) requestRead(state, { from, readId })
  else state.send({ type: 'readIndexResponse', to: from, readId, index: 0 })
}
