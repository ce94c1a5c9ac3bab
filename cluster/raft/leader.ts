import { assert } from '../assert.ts'
import { isVoter } from './configuration.ts'
import type { AppendResponseMessage, HeartbeatResponseMessage } from './messages.ts'
import type { Progress } from './progress.ts'
import { quorumIndex, quorumVote } from './quorum.ts'
import type { RaftState } from './raft-state.ts'
import type { ReadRequest } from './read-index.ts'
import { EntryType, NO_ONE, Role, type Entry, type RaftId } from './types.ts'

/** Takes up leadership. An empty entry of the new term lets older ones commit (Raft §5.4.2, §8). */
export function lead(state: RaftState): void {
  state.becomeLeader()
  appendAsLeader(state, EntryType.normal, [new Uint8Array(0)])
}

/** Puts entries on the log's end; returns the first one's index. Peers get them at the next ready. */
export function appendAsLeader(
  state: RaftState,
  type: EntryType,
  data: readonly Uint8Array[],
): number {
  const first = state.log.lastIndex + 1
  const { term } = state
  const entries: Entry[] = []
  for (const [i, bytes] of data.entries()) {
    entries.push({ term, index: first + i, type, data: bytes })
    state.uncommittedBytes += bytes.length
  }
  state.appendToLog(entries)
  state.sendPending = true
  return first
}

export function tickLeader(state: RaftState): void {
  const { options } = state
  state.heartbeatElapsed++
  state.electionElapsed++
  if (state.transferee !== NO_ONE && ++state.transferElapsed >= options.electionTicks) {
    // It did not take over in time: serve on (thesis §3.10).
    state.transferee = NO_ONE
  }
  if (state.electionElapsed >= options.electionTicks) {
    state.electionElapsed = 0
    if (options.checkQuorum && !quorumActive(state)) {
      state.becomeFollower(state.term, NO_ONE)
      return
    }
  }
  if (state.heartbeatElapsed >= options.heartbeatTicks) {
    state.heartbeatElapsed = 0
    broadcastHeartbeat(state)
  }
}

/** Everything up to `persisted` is on this replica's own disk, in this term. */
export function ownEntriesPersisted(state: RaftState): void {
  if (state.role !== Role.leader) return
  state.progress.get(state.id)?.acknowledge(state.log.persisted)
  maybeCommit(state)
}

export function handleAppendResponse(state: RaftState, message: AppendResponseMessage): void {
  const progress = state.progress.get(message.from)
  if (progress === undefined) return
  progress.active = true
  state.sendPending = true
  if (message.rejected) {
    const { hintIndex, hintTerm } = message
    const hint = hintTerm > 0 ? state.log.lastAtMostTerm(hintIndex, hintTerm).index : hintIndex
    if (progress.refuse(message.index, hint) && progress.state === 'replicate') {
      progress.becomeProbe()
    }
    return
  }
  assert(message.index <= state.log.lastIndex, `${message.from} acknowledged what was never sent`)
  const news = progress.acknowledge(message.index)
  if (progress.state === 'replicate') {
    progress.inflights.freeTo(message.index)
  } else if (progress.state === 'probe') {
    if (news || progress.match === message.index) progress.becomeReplicate()
  } else if (progress.match + 1 >= state.log.firstIndex) {
    progress.becomeReplicate()
  }
  if (news) maybeCommit(state)
  if (message.from === state.transferee) continueTransfer(state)
}

export function handleHeartbeatResponse(state: RaftState, message: HeartbeatResponseMessage): void {
  const progress = state.progress.get(message.from)
  if (progress === undefined) return
  progress.active = true
  progress.resume()
  state.sendPending = true
  if (progress.state === 'replicate' && progress.match < state.log.lastIndex) {
    // It lives, yet acknowledgements are missing: perhaps an append was lost. The refusal of an
    // append that follows what was sent shows it; if nothing was lost this costs one message.
    sendAppend(state, message.from, progress, true)
  }
  if (message.readId > 0) {
    state.reads.acknowledge(message.from, message.readId)
    releaseReads(state)
  }
}

/** A read for this replica or a peer: answered when a majority confirmed this leader (thesis §6.4). */
export function requestRead(state: RaftState, request: ReadRequest): void {
  if (state.reads.full) {
    answerRead(state, request, 0)
  } else if (!ownTermCommitted(state)) {
    // The commit index may still lag behind that of the leader before (thesis §6.4, step 1).
    state.reads.park(request)
  } else {
    state.reads.add(request, state.log.commit)
    releaseReads(state)
  }
}

/** Makes the messages that the peers are due, for all that happened since the last time. */
export function sendDue(state: RaftState): void {
  if (!state.sendPending) return
  state.sendPending = false
  if (state.reads.wantsRound) broadcastHeartbeat(state)
  state.progress.forEach((progress, id) => {
    if (id === state.id) return
    while (sendAppend(state, id, progress, false));
  })
}

/** True from the moment an entry of this leader's own term is committed. */
export function ownTermCommitted(state: RaftState): boolean {
  return state.log.term(state.log.commit) === state.term
}

export function heartbeat(state: RaftState, to: RaftId, progress: Progress, readId: number): void {
  // Its log is known to agree only as far as it acknowledged.
  const commit = Math.min(progress.match, state.log.commit)
  state.send({ type: 'heartbeat', to, commit, acknowledged: progress.match, readId })
}

/** Hands over as soon as the target has everything (thesis §3.10). */
export function continueTransfer(state: RaftState): void {
  const to = state.transferee
  if (state.progress.get(to)?.match !== state.log.lastIndex) return
  state.send({ type: 'timeoutNow', to })
}

function broadcastHeartbeat(state: RaftState): void {
  state.reads.roundSent()
  for (const [id, progress] of state.progress) {
    if (id !== state.id) heartbeat(state, id, progress, state.reads.newest)
  }
}

/**
 * Sends one append, snapshot or commit message if one is due; true if another append may follow.
 * With `force` an append goes out even if the window is full, without entries then.
 */
function sendAppend(state: RaftState, to: RaftId, progress: Progress, force: boolean): boolean {
  const { paused } = progress
  if (progress.state === 'snapshot' || (paused && !force)) return false
  const { log } = state
  const { next } = progress
  const prevIndex = next - 1
  const prevTerm = log.term(prevIndex)
  const due = paused ? [] : log.entries(next, log.lastIndex + 1, state.options.maxAppendBytes)
  if (prevTerm === null || due === null) {
    sendSnapshot(state, to, progress)
    return false
  }
  const entries = withoutHeld(state, to, due)
  if (entries.length === 0 && progress.state === 'replicate' && !force) {
    sendCommit(state, to, progress)
    return false
  }
  const { commit } = log
  state.send({ type: 'append', to, prevIndex, prevTerm, commit, entries })
  let bytes = 0
  for (const entry of entries) bytes += entry.data.length
  const last = prevIndex + entries.length
  progress.sent(last, entries.length, bytes)
  progress.commitSent = Math.max(progress.commitSent, Math.min(commit, last))
  return progress.state === 'replicate' && entries.length > 0
}

/** Of these, those from the first on that the peer's disk takes. */
function withoutHeld(state: RaftState, to: RaftId, entries: readonly Entry[]): readonly Entry[] {
  const { held } = state
  if (held === null || !held.ids.has(to)) return entries
  const first = entries.findIndex((entry) => !held.isExempt(entry))
  return first < 0 ? entries : entries.slice(0, first)
}

/** The peer has been sent the entry at the commit index, but not that it is committed. */
function sendCommit(state: RaftState, to: RaftId, progress: Progress): void {
  const { commit } = state.log
  if (commit <= progress.commitSent || progress.next <= commit || !ownTermCommitted(state)) return
  progress.commitSent = commit
  state.send({ type: 'commit', to, commit })
}

function sendSnapshot(state: RaftState, to: RaftId, progress: Progress): void {
  // To stream it to a peer that does not answer would only tie up this one's disk.
  if (!progress.active) return
  const { snapshot } = state.log
  assert(
    snapshot.index >= state.log.firstIndex - 1 && snapshot.index > progress.match,
    `the snapshot at ${snapshot.index} does not reach the log from ${state.log.firstIndex}`,
  )
  progress.becomeSnapshot(snapshot.index)
  state.send({ type: 'snapshot', to, snapshot })
}

/**
 * Raft §5.4.2: a leader counts replicas only for entries of its own term; older ones are committed
 * along with them. What counts is durable acknowledgements, its own too.
 */
function maybeCommit(state: RaftState): void {
  const index = quorumIndex(state.quorum, (id) => state.progress.get(id)?.match ?? 0)
  if (index <= state.log.commit || state.log.term(index) !== state.term) return
  state.commitTo(index)
  state.sendPending = true
  state.reads.unpark(state.log.commit)
  releaseReads(state)
  const { configurations } = state
  const removed = !isVoter(configurations.current, state.id)
  if (removed && configurations.currentIndex <= state.log.commit) stepDownRemoved(state)
}

/**
 * A leader that is no voter any more leads until its removal is committed (thesis §4.2.2). The best
 * of the others is told to stand at once, to spare the group an election timeout.
 */
function stepDownRemoved(state: RaftState): void {
  sendDue(state)
  const { lastIndex } = state.log
  const heir = state.quorum.voters.find((id) => state.progress.get(id)?.match === lastIndex)
  if (heir !== undefined) state.send({ type: 'timeoutNow', to: heir })
  state.becomeFollower(state.term, NO_ONE)
}

function releaseReads(state: RaftState): void {
  // Reads that are still waiting begin the next round.
  state.sendPending = true
  for (const read of state.reads.takeConfirmed(state.id, state.quorum)) {
    answerRead(state, read, read.index)
  }
}

function answerRead(state: RaftState, request: ReadRequest, index: number): void {
  const { from, readId } = request
  if (from === state.id) state.readStates.push({ readId, index })
  else state.send({ type: 'readIndexResponse', to: from, readId, index })
}

/** Whether a majority acknowledged something in this term since the last check; begins a new round. */
function quorumActive(state: RaftState): boolean {
  const { progress } = state
  const result = quorumVote(
    state.quorum,
    (id) => id === state.id || progress.get(id)?.active === true,
  )
  for (const peer of progress.values()) {
    peer.wasActive = peer.active
    peer.active = false
  }
  return result === 'won'
}
