import { assert } from '../assert.ts'
import type {
  AppendMessage,
  CommitMessage,
  HeartbeatMessage,
  ReadIndexResponseMessage,
  SnapshotMessage,
} from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { type Entry, Role, type RaftId } from './types.ts'

/** A message that only a term's leader sends, of the term in force, arrived: it is the leader. */
export function hearLeader(state: RaftState, leader: RaftId): void {
  assert(state.role !== Role.leader, `two leaders in term ${state.term}: ${state.id} and ${leader}`)
  if (state.role !== Role.follower || state.leader !== leader) {
    state.becomeFollower(state.term, leader)
  }
  state.electionElapsed = 0
}

/** AppendEntries, receiver (Raft §5.3, figure 2). The answer leaves once the entries are durable. */
export function handleAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state
  const { prevIndex, entries } = message
  if (prevIndex < log.commit) {
    // Old news: what is committed here is the leader's too.
    acceptAppend(state, message.from, log.commit)
    return
  }
  if (!log.matches(prevIndex, message.prevTerm)) {
    refuseAppend(state, message)
    return
  }
  assertConsecutive(message)
  const missing = log.missing(entries)
  const taken = withinLimit(state, missing)
  // Like one that is paused (rule K9): the leader asks again with its heartbeats.
  const lastNew = prevIndex + entries.length - missing.length + taken.length
  if (lastNew === prevIndex && entries.length > 0) return
  state.appendToLog(taken)
  // Beyond the last new entry the log may still differ from the leader's.
  state.commitTo(Math.min(message.commit, lastNew))
  acceptAppend(state, message.from, lastNew)
}

/** Of these, as many from the first on as the disk has room for. */
function withinLimit(state: RaftState, entries: readonly Entry[]): readonly Entry[] {
  const limit = state.appendLimit
  if (limit === null) return entries
  let count = 0
  for (const entry of entries) {
    if (!limit.isExempt(entry)) {
      if (entry.data.length > state.appendRoom) break
      state.appendRoom -= entry.data.length
    }
    count++
  }
  return entries.slice(0, count)
}

export function handleHeartbeat(state: RaftState, message: HeartbeatMessage): void {
  const { from: leader, acknowledged } = message
  const { lastIndex } = state.log
  if (acknowledged > lastIndex) {
    // This id acknowledged entries that its log has no more: it must not count for anything again.
    state.lostLog = { leader, acknowledged, lastIndex }
    state.outbox.forgetWaiting()
    return
  }
  state.commitTo(message.commit)
  state.send({ type: 'heartbeatResponse', to: leader, readId: message.readId })
}

export function handleCommit(state: RaftState, message: CommitMessage): void {
  if (state.log.matches(message.commit, message.term)) state.commitTo(message.commit)
}

/** The snapshot has arrived as a whole; the answer leaves once it is installed and durable. */
export function handleSnapshot(state: RaftState, message: SnapshotMessage): void {
  const { log } = state
  const { snapshot } = message
  if (snapshot.index <= log.commit) {
    acceptAppend(state, message.from, log.commit)
    return
  }
  if (log.matches(snapshot.index, snapshot.term)) {
    // The log holds it all already: to throw it away would forget acknowledged entries.
    state.commitTo(snapshot.index)
    acceptAppend(state, message.from, snapshot.index)
    return
  }
  log.restore(snapshot)
  state.configurations.restore(snapshot.index, snapshot.configuration)
  state.configurationChanged()
  acceptAppend(state, message.from, snapshot.index)
}

export function handleReadIndexResponse(state: RaftState, message: ReadIndexResponseMessage): void {
  const readId = state.forwardedReads.take(message.readId)
  if (readId !== null) state.readStates.push({ readId, index: message.index })
}

/** Tells a sender of an older term where this replica stands, so that it steps down or catches up. */
export function answerStaleLeader(state: RaftState, to: RaftId): void {
  const { lastIndex } = state.log
  state.send({
    type: 'appendResponse',
    to,
    index: 0,
    rejected: true,
    hintIndex: 0,
    hintTerm: 0,
    lastIndex,
  })
}

function acceptAppend(state: RaftState, to: RaftId, index: number): void {
  const { lastIndex } = state.log
  state.send({
    type: 'appendResponse',
    to,
    index,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
    lastIndex,
  })
}

/**
 * The hint skips all that cannot agree: the logs can share no entry above the last one here whose
 * term is at most the refused one's. The leader does the same with the hint's term, so that a
 * refusal costs one message per term at most (Raft §5.3, end).
 */
function refuseAppend(state: RaftState, message: AppendMessage): void {
  const { log } = state
  const hint = log.lastAtMostTerm(Math.min(message.prevIndex, log.lastIndex), message.prevTerm)
  state.send({
    type: 'appendResponse',
    to: message.from,
    index: message.prevIndex,
    rejected: true,
    hintIndex: hint.index,
    hintTerm: hint.term,
    lastIndex: log.lastIndex,
  })
}

function assertConsecutive(message: AppendMessage): void {
  let { prevIndex, prevTerm } = message
  for (const entry of message.entries) {
    assert(entry.index === prevIndex + 1, `entry ${entry.index} follows ${prevIndex}`)
    assert(
      entry.term >= prevTerm && entry.term <= message.term,
      `entry ${entry.index} of term ${entry.term} is out of order`,
    )
    prevIndex = entry.index
    prevTerm = entry.term
  }
}
