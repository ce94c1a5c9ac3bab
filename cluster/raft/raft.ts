import { assert } from '../assert.ts'
import type { AppendLimit, HeldPeers } from './append-limit.ts'
import { campaign, ownVotePersisted, repeatRequest } from './candidate.ts'
import {
  configurationFault,
  encodeConfiguration,
  isVoter,
  type CommittedConfiguration,
  type Configuration,
} from './configuration.ts'
import {
  appendAsLeader,
  continueTransfer,
  heartbeat,
  ownEntriesPersisted,
  ownTermCommitted,
  requestRead,
  sendDue,
  tickLeader,
} from './leader.ts'
import type { Message } from './messages.ts'
import type { RaftOptions } from './options.ts'
import { RaftState } from './raft-state.ts'
import type { PeerStatus, RaftStatus, Ready, StorageAppend } from './ready.ts'
import { step } from './step.ts'
import {
  EntryType,
  NO_ONE,
  Role,
  type Entry,
  type HardState,
  type RaftId,
  type SnapshotMeta,
} from './types.ts'

/** Accepted means appended, nothing more: whether it commits, `ready().committed` tells. */
export type ProposalResult =
  | { readonly accepted: true; readonly index: number; readonly term: number }
  | { readonly accepted: false; readonly reason: ProposalRefusal; readonly detail: string }

/**
 * - `notLeader`: another replica leads, or nobody.
 * - `transferring`: leadership is being handed over; ask the next leader, within an election timeout.
 * - `quota`: too many bytes are not applied yet; ask again when entries have been.
 * - `notReady`: a change of members before this leader committed an entry of its own term.
 * - `pendingChange`: a change of members before the last one was committed.
 * - `invalid`: a change of members that cannot follow the one in force; `detail` says why.
 */
export type ProposalRefusal =
  'notLeader' | 'transferring' | 'quota' | 'notReady' | 'pendingChange' | 'invalid'

export type TransferResult =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly reason: 'notLeader' | 'notVoter' | 'alreadyLeader' }

/**
 * One replica of one Raft group, pure and synchronous: no clock, no chance of its own, no I/O. The
 * host feeds it messages, ticks and completed writes, and does what `ready()` says, in its order.
 * Every method returns before anything it asked for has happened.
 */
export class Raft {
  readonly #state: RaftState
  /** The write under way: at most one, of the term in which it was handed out. */
  #writing: { ticket: number; term: number } | null = null
  #nextTicket = 1
  #toldLostLog = false
  #written: HardState

  constructor(options: RaftOptions) {
    this.#state = new RaftState(options)
    this.#written = options.hardState
  }

  get id(): RaftId {
    return this.#state.id
  }

  get role(): Role {
    return this.#state.role
  }

  get term(): number {
    return this.#state.term
  }

  /** `NO_ONE` while none is known. */
  get leader(): RaftId {
    return this.#state.leader
  }

  get commit(): number {
    return this.#state.log.commit
  }

  get lastIndex(): number {
    return this.#state.log.lastIndex
  }

  /** What `ready()` will hand out, or has, for installing; `null` if a snapshot was not taken. */
  get pendingSnapshot(): SnapshotMeta | null {
    return this.#state.log.pendingSnapshot
  }

  /** In force from the moment it is appended, committed or not. */
  get configuration(): Configuration {
    return this.#state.configurations.current
  }

  /** The newest one that is final; no other took its place up to `index`. */
  get committedConfiguration(): CommittedConfiguration {
    const { configurations, log } = this.#state
    return { index: log.commit, configuration: configurations.committed }
  }

  /** Whether `configuration` is committed, and so final. */
  get configurationCommitted(): boolean {
    const { configurations, log } = this.#state
    return configurations.currentIndex <= log.commit
  }

  /** A tick of the host's clock; elections and heartbeats are counted in them. */
  tick(): void {
    const state = this.#state
    if (state.lostLog !== null) return
    for (const readId of state.forwardedReads.tick()) state.readStates.push({ readId, index: 0 })
    if (state.role === Role.leader) {
      tickLeader(state)
      return
    }
    state.electionElapsed++
    if (state.electionElapsed < state.electionTimeout || !state.promotable) return
    state.electionElapsed = 0
    campaign(state, state.options.preVote ? 'preVote' : 'vote')
  }

  /** Takes a peer's message. Any order, repetition and loss of messages is fine. */
  step(message: Message): void {
    if (this.#state.lostLog === null) step(this.#state, message)
  }

  /** Appends the data as consecutive entries; `index` is the first one's. */
  propose(data: readonly Uint8Array[]): ProposalResult {
    const state = this.#state
    const refused = this.#refusal()
    if (refused !== null) return refused
    assert(data.length > 0, 'a proposal without data')
    let bytes = 0
    for (const piece of data) {
      assert(piece.length > 0, 'an empty proposal would look like a new leader’s entry')
      bytes += piece.length
    }
    // One proposal is always let through, however large, so that a small quota cannot block it.
    if (
      state.uncommittedBytes > 0 &&
      state.uncommittedBytes + bytes > state.options.maxUncommittedBytes
    ) {
      return refuse('quota', `${state.uncommittedBytes} bytes are not applied yet`)
    }
    return {
      accepted: true,
      index: appendAsLeader(state, EntryType.normal, data),
      term: state.term,
    }
  }

  /**
   * Appends a configuration, in force at once. Only one voter may differ from the present one, the
   * last change must be committed, and an entry of this term too (thesis §4.1; without the last,
   * two leaders could change the same configuration in ways whose majorities do not meet).
   */
  proposeConfiguration(next: Configuration): ProposalResult {
    const state = this.#state
    const refused = this.#refusal()
    if (refused !== null) return refused
    if (!ownTermCommitted(state))
      return refuse('notReady', 'no entry of this term is committed yet')
    if (!this.configurationCommitted) {
      return refuse(
        'pendingChange',
        `the change at ${state.configurations.currentIndex} is not committed`,
      )
    }
    const fault = configurationFault(this.configuration, next)
    if (fault !== null) return refuse('invalid', fault)
    const data = encodeConfiguration(next)
    const index = appendAsLeader(state, EntryType.configuration, [data])
    return { accepted: true, index, term: state.term }
  }

  /**
   * Asks for an index that a linearizable read may be served at; the answer comes in
   * `ready().reads`, in no fixed order. `readId` must differ from those not yet answered.
   */
  readIndex(readId: number): void {
    const state = this.#state
    if (state.role === Role.leader) {
      requestRead(state, { from: state.id, readId })
      return
    }
    const { forwardedReads, options, leader } = state
    if (
      state.lostLog !== null ||
      leader === NO_ONE ||
      forwardedReads.size >= options.maxPendingReads
    ) {
      state.readStates.push({ readId, index: 0 })
      return
    }
    const number = forwardedReads.add(readId, options.electionTicks)
    state.send({ type: 'readIndex', to: leader, readId: number })
  }

  /**
   * Hands leadership to a voter as soon as its log is complete. Proposals are refused meanwhile;
   * after an election timeout without success this replica leads on.
   */
  transferLeadership(to: RaftId): TransferResult {
    const state = this.#state
    if (state.role !== Role.leader) return { accepted: false, reason: 'notLeader' }
    if (to === state.id) return { accepted: false, reason: 'alreadyLeader' }
    if (!isVoter(this.configuration, to)) return { accepted: false, reason: 'notVoter' }
    if (state.transferee === to) return { accepted: true }
    state.transferee = to
    state.transferElapsed = 0
    state.sendPending = true
    continueTransfer(state)
    return { accepted: true }
  }

  /**
   * Stands for election now, by pre-vote if that is on. One that stands already asks again those
   * who have not agreed. Nothing happens on a leader or a replica that is no voter.
   */
  campaign(): void {
    const state = this.#state
    if (state.lostLog !== null) return
    if (state.role === Role.follower) campaign(state, state.options.preVote ? 'preVote' : 'vote')
    else if (state.role !== Role.leader)
      for (const id of state.quorum.voters) repeatRequest(state, id)
  }

  /** What this replica takes as a follower from now on; `null`: everything (rule K9). */
  limitAppends(limit: AppendLimit | null): void {
    this.#state.appendLimit = limit
    this.#state.appendRoom = limit?.bytes ?? 0
  }

  /** Whom this replica as a leader sends only what they take; `null`: nobody (rule K9). */
  holdAppends(held: HeldPeers | null): void {
    this.#state.held = held
    this.#state.sendPending = true
  }

  /** The connection to a peer died: what was under way to it is lost. */
  reportUnreachable(id: RaftId): void {
    const progress = this.#state.progress.get(id)
    if (progress?.state === 'replicate' && id !== this.id) progress.becomeProbe()
  }

  /** A connection to a peer is up: it hears at once what it would hear at the next tick. */
  reportConnected(id: RaftId): void {
    const state = this.#state
    if (state.lostLog !== null || id === state.id) return
    if (state.role === Role.preCandidate || state.role === Role.candidate) repeatRequest(state, id)
    const progress = state.progress.get(id)
    if (progress === undefined) return
    progress.resume()
    heartbeat(state, id, progress, 0)
    state.sendPending = true
  }

  /**
   * The connection to this replica's leader closed: it may ask at once whether it could be elected
   * (rule K7). Voters that still hear the leader refuse, so that nothing but the question is lost.
   */
  leaderConnectionClosed(): void {
    const state = this.#state
    if (state.lostLog !== null || state.role !== Role.follower || state.leader === NO_ONE) return
    if (!state.options.preVote) return
    state.becomeFollower(state.term, NO_ONE)
    campaign(state, 'preVote')
  }

  /**
   * How the stream ended that a `snapshot` message asked for. It must be told for each of them.
   * `index` is what was streamed, if that is newer than what was asked for: the entries between the
   * two may be compacted by now, and to look for them would ask for the next snapshot at once.
   */
  reportSnapshot(id: RaftId, ok: boolean, index = 0): void {
    const progress = this.#state.progress.get(id)
    if (progress?.state !== 'snapshot') return
    if (ok) progress.snapshotTaken(index)
    else progress.snapshotFailed()
    this.#state.sendPending = true
  }

  /** A lost state was replaced by a peer's snapshot, while the log was whole (rule K3). */
  stateInstalled(snapshot: SnapshotMeta): void {
    const { log } = this.#state
    assert(
      log.matches(snapshot.index, snapshot.term),
      `the installed state at ${snapshot.index} does not belong to this log`,
    )
    this.#state.commitTo(snapshot.index)
    log.stateAt(snapshot.index)
  }

  /** True if `ready()` has something to do. */
  hasReady(): boolean {
    const state = this.#state
    this.#sendDue()
    return (
      state.outbox.hasNow ||
      state.readStates.length > 0 ||
      (state.lostLog !== null && !this.#toldLostLog) ||
      state.log.hasCommitted ||
      (!state.log.writing && (this.#hasUnwritten() || state.outbox.hasAfterPersist))
    )
  }

  /** Takes all that is to be done now. May be called while a write is under way. */
  ready(): Ready {
    const state = this.#state
    this.#sendDue()
    const append = this.#takeAppend()
    const messages = state.outbox.takeNow()
    // Nothing is unwritten and nothing under way: what waits for the disk waits no longer.
    if (append === null && !state.log.writing) messages.push(...state.outbox.takeAfterPersist())
    const committed = this.#takeCommitted()
    const { readStates: reads, lostLog } = state
    state.readStates = []
    this.#toldLostLog ||= lostLog !== null
    return { messages, append, committed, reads, lostLog }
  }

  /** The append with this ticket is durable, its snapshot installed, its responses may be sent. */
  persisted(ticket: number): void {
    const state = this.#state
    const writing = this.#writing
    assert(writing?.ticket === ticket, `append ${ticket} is not the one under way`)
    this.#writing = null
    state.persistedTerm = writing.term
    const confirms = writing.term === state.term
    state.log.endWrite(confirms)
    if (!confirms) return
    ownVotePersisted(state)
    ownEntriesPersisted(state)
  }

  /** The state machine has applied what `ready().committed` handed out, up to `index`. */
  applied(index: number): void {
    this.#state.log.appliedTo(index)
  }

  /** Whether `status()` would say the same, the peers' progress aside. Costs next to nothing. */
  statusIs(status: RaftStatus): boolean {
    const { role, term, vote, leader, log, transferee } = this.#state
    return (
      status.commit === log.commit &&
      status.persisted === log.persisted &&
      status.lastIndex === log.lastIndex &&
      status.applied === log.applied &&
      status.role === role &&
      status.term === term &&
      status.vote === vote &&
      status.leader === leader &&
      status.transferee === transferee
    )
  }

  status(): RaftStatus {
    const { id, role, term, vote, leader, log, transferee, progress } = this.#state
    const { commit, applied, lastIndex, persisted } = log
    const peers: PeerStatus[] = []
    for (const [peer, { state, match, next, learner, active, wasActive, inflights }] of progress) {
      const self = peer === id
      peers.push({
        id: peer,
        state,
        match,
        next,
        learner,
        active: active || wasActive || self,
        inflight: inflights.count,
      })
    }
    return {
      id,
      role,
      term,
      vote,
      leader,
      commit,
      applied,
      lastIndex,
      persisted,
      transferee,
      progress: peers,
    }
  }

  #refusal(): ProposalResult | null {
    const state = this.#state
    if (state.role !== Role.leader) return refuse('notLeader', `this replica is a ${state.role}`)
    if (state.transferee !== NO_ONE) return refuse('transferring', `to ${state.transferee}`)
    return null
  }

  #sendDue(): void {
    if (this.#state.role === Role.leader) sendDue(this.#state)
  }

  #takeAppend(): StorageAppend | null {
    const state = this.#state
    if (state.log.writing || !this.#hasUnwritten()) return null
    const { entries, snapshot } = state.log.beginWrite()
    const { term, vote } = state
    // A commit index alone is not worth a write; no entry that is not written yet may be named.
    const commit = Math.min(state.log.commit, state.log.handedOut)
    const changed =
      term !== this.#written.term || vote !== this.#written.vote || commit !== this.#written.commit
    const hardState = changed ? { term, vote, commit } : null
    if (hardState !== null) this.#written = hardState
    const ticket = this.#nextTicket++
    this.#writing = { ticket, term }
    // A snapshot goes alone: what acknowledges entries behind it waits for their write.
    const responses = state.log.hasUnwritten ? [] : state.outbox.takeAfterPersist()
    return { ticket, hardState, entries, snapshot, responses }
  }

  #hasUnwritten(): boolean {
    const { term, vote, log } = this.#state
    return log.hasUnwritten || term !== this.#written.term || vote !== this.#written.vote
  }

  #takeCommitted(): readonly Entry[] {
    const state = this.#state
    const entries = state.log.takeCommitted()
    if (state.role === Role.leader) {
      for (const { term, data } of entries) {
        if (term === state.term) state.uncommittedBytes -= data.length
      }
    }
    return entries
  }
}

function refuse(reason: ProposalRefusal, detail: string): ProposalResult {
  return { accepted: false, reason, detail }
}
