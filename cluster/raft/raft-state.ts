import { assert } from '../assert.ts'
import { ConfigurationHistory } from './configuration-history.ts'
import { allMembers, isVoter, type Configuration } from './configuration.ts'
import type { AppendLimit, HeldPeers } from './append-limit.ts'
import type { Message } from './messages.ts'
import { resolveOptions, type RaftOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { Progress } from './progress.ts'
import type { Quorum } from './quorum.ts'
import { RaftLog } from './raft-log.ts'
import { ForwardedReads, LeaderReads } from './read-index.ts'
import type { LostLog, ReadState } from './ready.ts'
import { NO_ONE, Role, type Entry, type HardState, type RaftId } from './types.ts'

/** A message without the fields that the state fills in. */
export type Draft<M extends Message = Message> = M extends Message
  ? Omit<M, 'from' | 'term'> & { readonly term?: number }
  : never

/**
 * What the role functions share: the state of Raft §5, figure 2, and what leads from one role to
 * another. Nothing outside this folder sees it.
 */
export class RaftState {
  readonly id: RaftId
  readonly options: Required<RaftOptions>
  readonly log: RaftLog
  readonly outbox = new Outbox()
  readonly configurations: ConfigurationHistory
  quorum: Quorum

  role: Role = Role.follower
  term: number
  /** Cleared only when the term rises: erased on any other way it could be given twice. */
  vote: RaftId
  leader: RaftId = NO_ONE
  /** The newest term that is certainly on disk. */
  persistedTerm: number

  /** Ticks since the leader was heard or a vote was given; on a leader since the last quorum check. */
  electionElapsed = 0
  heartbeatElapsed = 0
  electionTimeout = 0
  /** Pre-vote rounds since a leader was last heard. */
  preVoteRounds = 0
  readonly votes = new Map<RaftId, boolean>()

  /** Of every member, in the configuration's order; empty unless leader. */
  readonly progress = new Map<RaftId, Progress>()
  /** Leader: peers may need messages; they are made when the host asks, several causes in one. */
  sendPending = false
  transferee: RaftId = NO_ONE
  transferElapsed = 0
  uncommittedBytes = 0
  reads: LeaderReads

  readonly forwardedReads: ForwardedReads
  readStates: ReadState[] = []
  /** While this disk is nearly full: what it still takes of a leader (rule K9). */
  appendLimit: AppendLimit | null = null
  /** Left of its bytes. */
  appendRoom = 0
  /** Leader: peers that say they take hardly anything. */
  held: HeldPeers | null = null
  /** This disk forgot what it promised: the replica says nothing any more (rule K1). */
  lostLog: LostLog | null = null

  constructor(options: RaftOptions) {
    this.options = resolveOptions(options)
    const { id, log, hardState, applied, configuration } = this.options
    this.id = id
    // The commit index is not synced on its own; what is in a checkpoint or snapshot was committed.
    const commit = Math.max(hardState.commit, applied, log.firstIndex() - 1)
    this.log = new RaftLog(log, commit, applied, this.options.maxCommittedBytes)
    this.term = hardState.term
    this.vote = hardState.vote
    this.persistedTerm = hardState.term
    assert(this.log.lastTerm <= this.term, 'the log has an entry of a term that was never entered')
    this.configurations = new ConfigurationHistory(
      Math.max(hardState.commit, log.firstIndex() - 1),
      configuration,
    )
    this.#loadConfigurations()
    this.quorum = quorumOf(this.configurations.current)
    this.reads = new LeaderReads(this.options.maxPendingReads)
    this.forwardedReads = new ForwardedReads(this.options.random())
    this.#randomizeTimeout()
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.commit }
  }

  /** May stand for election: a voter whose state machine can follow its log. */
  get promotable(): boolean {
    const { configurations, log } = this
    return configurations.mayLead(this.id) && log.pendingSnapshot === null && this.stateComplete
  }

  /** False from a start with a lost state until a snapshot is in (rule K3). */
  get stateComplete(): boolean {
    return this.log.applied >= this.log.firstIndex - 1
  }

  /** Whether the leader was heard within the shortest election timeout (thesis §4.2.3). */
  get hearsLeader(): boolean {
    return (
      this.options.checkQuorum &&
      this.leader !== NO_ONE &&
      this.electionElapsed < this.options.electionTicks
    )
  }

  /** `term` is this replica's unless the draft names one (pre-votes speak of a term to come). */
  send(draft: Draft): void {
    assert(draft.to !== this.id, 'a replica sends no message to itself')
    // Completed where it is: a copy of every message would cost more than what it says.
    const message = draft as { from?: RaftId; term?: number }
    message.from = this.id
    message.term ??= this.term
    this.outbox.send(message as Message, this.persistedTerm >= this.term)
  }

  becomeFollower(term: number, leader: RaftId): void {
    const wasLeader = this.role === Role.leader
    const sameLeader = term === this.term && leader === this.leader
    this.#reset(term)
    this.role = Role.follower
    this.leader = leader
    if (leader !== NO_ONE) this.preVoteRounds = 0
    if (wasLeader) this.#refuseQueuedReads()
    if (!sameLeader) this.refuseForwardedReads()
  }

  /** Changes neither term nor vote: nothing was decided yet (thesis §9.6). */
  becomePreCandidate(): void {
    assert(this.role !== Role.leader, 'a leader cannot become a pre-candidate')
    this.role = Role.preCandidate
    this.leader = NO_ONE
    this.votes.clear()
    this.preVoteRounds++
    this.refuseForwardedReads()
    this.electionElapsed = 0
    this.#randomizeTimeout()
  }

  becomeCandidate(): void {
    assert(this.role !== Role.leader, 'a leader cannot become a candidate')
    this.#reset(this.term + 1)
    this.role = Role.candidate
    this.leader = NO_ONE
    this.vote = this.id
    this.refuseForwardedReads()
  }

  becomeLeader(): void {
    assert(this.role === Role.candidate, `a ${this.role} cannot become the leader`)
    assert(this.vote === this.id, 'a leader voted for another')
    this.#reset(this.term)
    this.role = Role.leader
    this.leader = this.id
    this.preVoteRounds = 0
    this.reads = new LeaderReads(this.options.maxPendingReads)
    this.rebuildProgress()
  }

  /** Puts entries on the log, cutting off what they replace, and follows their configurations. */
  appendToLog(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    let changed = false
    if (first.index <= this.log.lastIndex) changed = this.configurations.truncateFrom(first.index)
    this.log.append(entries)
    changed = this.configurations.append(entries) || changed
    if (changed) this.configurationChanged()
  }

  configurationChanged(): void {
    this.quorum = quorumOf(this.configurations.current)
    if (this.role === Role.leader) this.rebuildProgress()
  }

  commitTo(index: number): boolean {
    if (!this.log.commitTo(index)) return false
    this.configurations.committedTo(index)
    return true
  }

  /** Keeps what is known of members that stay; a new one starts at the log's end. */
  rebuildProgress(): void {
    const known = new Map(this.progress)
    this.progress.clear()
    const { current } = this.configurations
    const learners = new Set(current.learners.map((member) => member.id))
    for (const { id } of allMembers(current)) {
      const before = known.get(id)
      if (before?.learner === learners.has(id)) {
        this.progress.set(id, before)
        continue
      }
      const progress = before ?? this.#newProgress(id, known.size > 0)
      progress.learner = learners.has(id)
      this.progress.set(id, progress)
    }
    if (this.transferee !== NO_ONE && !isVoter(current, this.transferee)) this.transferee = NO_ONE
    this.sendPending = true
  }

  refuseForwardedReads(): void {
    for (const readId of this.forwardedReads.takeAll()) this.readStates.push({ readId, index: 0 })
  }

  #newProgress(id: RaftId, added: boolean): Progress {
    const progress = new Progress(this.log.lastIndex + 1, false, this.options)
    if (id === this.id) {
      progress.acknowledge(this.log.persisted)
      progress.becomeReplicate()
    }
    // An added one counts as present for a round, so that adding it cannot unseat the leader.
    progress.active = added
    return progress
  }

  #refuseQueuedReads(): void {
    for (const { from, readId } of this.reads.takeAll()) {
      if (from === this.id) this.readStates.push({ readId, index: 0 })
    }
  }

  #reset(term: number): void {
    assert(term >= this.term, `the term would fall from ${this.term} to ${term}`)
    if (term > this.term) {
      this.term = term
      this.vote = NO_ONE
      this.outbox.forgetWaiting()
    }
    this.leader = NO_ONE
    this.electionElapsed = 0
    this.heartbeatElapsed = 0
    this.votes.clear()
    this.progress.clear()
    this.sendPending = false
    this.transferee = NO_ONE
    this.uncommittedBytes = 0
    this.#randomizeTimeout()
  }

  /** Changes that the log holds above its commit index are in force too. */
  #loadConfigurations(): void {
    let next = this.configurations.currentIndex + 1
    while (next <= this.log.lastIndex) {
      const entries = this.log.entries(next, this.log.lastIndex + 1, LOAD_BYTES)
      assert(entries !== null && entries.length > 0, `the log has no entry ${next}`)
      this.configurations.append(entries)
      next += entries.length
    }
    this.configurations.committedTo(this.log.commit)
  }

  /** Different for each replica and each time, so that one usually wakes first (Raft §5.2). */
  #randomizeTimeout(): void {
    const { electionTicks, random } = this.options
    this.electionTimeout = electionTicks + (random() % electionTicks)
  }
}

const LOAD_BYTES = 1024 * 1024

function quorumOf(configuration: Configuration): Quorum {
  return {
    voters: configuration.voters.map((member) => member.id),
    outgoing: configuration.outgoing.map((member) => member.id),
  }
}
