import { ApplyQueue } from './apply-queue.ts'
import { assert } from './assert.ts'
import type { ClusterMetrics } from './cluster-metrics.ts'
import { ElectionCounts } from './election-counts.ts'
import { LogCompactor } from './log-compactor.ts'
import type { LogStorage } from './log/log-storage.ts'
import { LostLogError } from './lost-log-error.ts'
import type { Failpoints } from './failpoints.ts'
import { measuredAppend } from './measured-append.ts'
import type { Clock, Timer } from './ports.ts'
import type { AppendLimit, HeldPeers } from './raft/append-limit.ts'
import type { CommittedConfiguration, Configuration } from './raft/configuration.ts'
import type { Message } from './raft/messages.ts'
import { type ProposalResult, Raft } from './raft/raft.ts'
import type { RaftStatus, Ready, StorageAppend } from './raft/ready.ts'
import { type Entry, NO_ONE, type RaftId, Role } from './raft/types.ts'
import type { ReplicaEvents } from './replica-events.ts'
import { ReplicaFailpoints } from './replica-failpoints.ts'
import type { ReplicaOptions } from './replica-options.ts'
import type { ReplicaParts } from './replica-parts.ts'
import { ProposalGate } from './proposal-gate.ts'
import { ProposalQueue } from './proposal-queue.ts'
import { ProposalTimes } from './proposal-times.ts'
import { ReadQueue } from './read-queue.ts'
import { SnapshotInstalls } from './snapshot/snapshot-installs.ts'
import type { SnapshotOffer } from './snapshot/snapshot-frames.ts'
import type { SnapshotSink, StateMachine } from './state-machine.ts'
import type { PeerMessage } from './transport/message-codec.ts'

/**
 * This node's member of one Raft group: drives the pure core. The only place where the order
 * "step, send, write, answer, apply" is decided (thesis §10.2.1): messages leave while the disk
 * writes, responses leave after it, results leave after apply.
 */
export class Replica {
  readonly #options: ReplicaOptions
  readonly #clock: Clock
  readonly #log: LogStorage
  readonly #stateMachine: StateMachine
  readonly #failpoints: Failpoints
  readonly #places: ReplicaFailpoints
  readonly #events: ReplicaEvents
  readonly #metrics: ClusterMetrics
  readonly #raft: Raft
  readonly #applies: ApplyQueue
  readonly #proposals: ProposalQueue
  readonly #gate: ProposalGate
  readonly #times: ProposalTimes
  readonly #reads: ReadQueue
  readonly #elections: ElectionCounts
  readonly #compactor: LogCompactor
  readonly #installs: SnapshotInstalls
  #inbox: Message[] = []
  #scheduled = false
  /** The core is at work: what is asked of it now is looked at before the turn ends. */
  #inTurn = false
  #stopped = false
  #timer: Timer | null = null
  #leader: RaftId = NO_ONE
  #term = 0
  #authorityTerm = 0
  #configuration: Configuration

  constructor(parts: ReplicaParts) {
    this.#options = parts.options
    this.#clock = parts.clock
    this.#log = parts.log
    this.#stateMachine = parts.stateMachine
    this.#failpoints = parts.failpoints
    this.#places = new ReplicaFailpoints(parts.failpoints)
    this.#events = parts.events
    this.#metrics = parts.metrics
    assert(this.#log.formation !== null, 'a replica runs on a formed log')
    this.#raft = new Raft({
      id: this.#log.raftId,
      log: this.#log,
      hardState: this.#log.hardState,
      configuration: this.#log.configurationAt(this.#log.hardState.commit),
      applied: this.#stateMachine.appliedIndex,
      electionTicks: this.#options.electionTicks,
      random: () => parts.random.uint32(),
    })
    const fail = (error: Error) => this.#fail(error)
    this.#configuration = this.#raft.configuration
    this.#applies = new ApplyQueue({
      ...parts,
      delay: this.#metrics.applyDelay,
      onApplied: (entry) => this.#applied(entry),
      onError: fail,
    })
    this.#proposals = new ProposalQueue(this.#options)
    this.#times = new ProposalTimes(this.#metrics)
    const look = () => this.#schedule()
    this.#gate = new ProposalGate({
      ...parts,
      applies: this.#applies,
      queue: this.#proposals,
      look,
    })
    this.#reads = new ReadQueue(this.#raft, parts)
    this.#elections = new ElectionCounts(this.#metrics, this.raftId, this.#raft.term)
    this.#compactor = new LogCompactor({ ...parts, raft: this.#raft, onError: fail })
    this.#installs = new SnapshotInstalls({
      ...parts,
      raft: this.#raft,
      applies: this.#applies,
      persisted: (append) => this.#persisted(append),
      look,
      onError: fail,
    })
    this.#stateMachine.logPersisted(this.#log.lastIndex())
  }

  get raftId(): RaftId {
    return this.#log.raftId
  }

  get leader(): RaftId {
    return this.#leader
  }

  status(): RaftStatus {
    return this.#raft.status()
  }

  /** Whether `status()` would say the same, the peers' progress aside. Costs next to nothing. */
  statusIs(status: RaftStatus): boolean {
    return this.#raft.statusIs(status)
  }

  get configuration(): Configuration {
    return this.#raft.configuration
  }

  /** Begins ticking and stands. Before it, the replica answers peers but never campaigns. */
  start(): void {
    assert(this.#timer === null && !this.#stopped, 'a replica starts once')
    this.#tickLater()
    // Like one whose connection to its leader closed it asks at once whether it could be elected
    // (rule K7), and each voter again when its link comes up. Who hears a leader refuses; a lone
    // voter has won.
    this.#raft.campaign()
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#gate.stop()
  }

  /** A message of a peer; taken in on the next turn. */
  receive(message: Message): void {
    if (this.#stopped) return
    this.#inbox.push(message)
    this.#schedule()
  }

  /** Whether this replica leads and knows everything committed before its term. */
  get hasAuthority(): boolean {
    return this.#authorityTerm > 0 && this.#authorityTerm === this.#raft.term
  }

  /**
   * Takes a command into the next entry. Not a promise of anything: the host hears of it again
   * when it is applied, or never. `overloaded`: certainly not taken.
   */
  propose(command: Uint8Array): 'taken' | 'notLeader' | 'overloaded' {
    const may = this.hasAuthority && !this.#stopped
    const outcome = may ? this.#gate.take(command) : 'notLeader'
    this.#metrics.proposals[outcome].add()
    if (outcome === 'taken') this.#schedule()
    return outcome
  }

  /** Of commands that wait to be proposed. */
  get waitingBytes(): number {
    return this.#proposals.bytes
  }

  /** An index that covers every write acknowledged before the call; rejects if that cannot be had. */
  readIndex(): Promise<number> {
    const read = this.#reads.begin()
    this.#schedule()
    return read
  }

  /** The newest configuration that is final; no other took its place up to `index`. */
  get committedConfiguration(): CommittedConfiguration {
    return this.#raft.committedConfiguration
  }

  /** Whether `configuration` is committed, and so final. */
  get configurationCommitted(): boolean {
    return this.#raft.configurationCommitted
  }

  /** In force from its append on; refused unless it may follow the one in force (thesis §4.1). */
  proposeConfiguration(next: Configuration): ProposalResult {
    const result = this.#raft.proposeConfiguration(next)
    if (result.accepted) this.#failpoints.hit('membership.configurationProposed')
    this.#schedule()
    return result
  }

  /** What this node's disk has room for, as a follower; `null`: everything (rule K9). */
  limitAppends(limit: AppendLimit | null): void {
    this.#raft.limitAppends(limit)
  }

  /** Members whose disks are nearly full, for as long as this one leads; `null`: none. */
  holdAppends(held: HeldPeers | null): void {
    this.#raft.holdAppends(held)
    this.#schedule()
  }

  /** Hands leadership on (thesis §3.10); what became of it shows in `onLeader`. */
  transferLeadership(to: RaftId): void {
    if (this.#raft.transferLeadership(to).accepted) this.#metrics.transfers.add()
    this.#schedule()
  }

  peerUp(id: RaftId): void {
    this.#raft.reportConnected(id)
    this.#schedule()
  }

  /** The connection with a peer died. Of a leader, its heartbeats are not waited for (rule K7). */
  peerDown(id: RaftId): void {
    this.#raft.reportUnreachable(id)
    if (id === this.#leader && this.#timer !== null) this.#raft.leaderConnectionClosed()
    this.#schedule()
  }

  /** `index` is that of the snapshot that was streamed. */
  snapshotSent(to: RaftId, ok: boolean, index: number): void {
    this.#raft.reportSnapshot(to, ok, index)
    this.#schedule()
  }

  /**
   * The state was damaged and thrown away while the log, whole, starts after its beginning (rule
   * K3): this replica votes and appends, and applies nothing before a peer's snapshot is in.
   */
  get stateLost(): boolean {
    return this.#stateMachine.appliedIndex + 1 < this.#log.firstIndex()
  }

  /** False while one that was received takes over or is thrown away: there is room for one. */
  get takesSnapshots(): boolean {
    return this.#installs.hasRoom
  }

  /** A whole snapshot lies verified beside the live state; the core decides whether to take it. */
  snapshotReceived(from: RaftId, offer: SnapshotOffer, sink: SnapshotSink): void {
    if (this.stateLost && this.#log.term(offer.meta.index) === offer.meta.term) {
      this.#installs.recoverState(offer.meta, sink)
      return
    }
    if (!this.#installs.received(offer.meta, sink)) return
    const { term, meta: snapshot } = offer
    this.receive({ type: 'snapshot', from, to: this.raftId, term, snapshot })
  }

  #tickLater(): void {
    this.#timer = this.#clock.after(this.#options.tickMs, () => {
      if (this.#stopped) return
      this.#raft.tick()
      this.#failpoints.hit('replica.ticked')
      this.#compactor.tick()
      this.#tickLater()
      this.#takeTurn()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    this.#clock.defer(() => {
      this.#scheduled = false
      if (!this.#stopped) this.#takeTurn()
    })
  }

  #takeTurn(): void {
    this.#inTurn = true
    try {
      this.#turn()
    } catch (error) {
      this.#fail(error as Error)
    } finally {
      this.#inTurn = false
    }
  }

  #turn(): void {
    const inbox = this.#inbox
    this.#inbox = []
    for (const message of inbox) {
      this.#raft.step(message)
      if (message.type === 'appendResponse' && !message.rejected && this.hasAuthority) {
        this.#failpoints.hit('leader.oneAck')
      }
      if (message.type === 'snapshot') this.#installs.dropUnless(this.#raft.pendingSnapshot)
    }
    if (this.hasAuthority) this.#flushProposals()
    this.#reads.flush()
    this.#process()
  }

  #flushProposals(): void {
    while (!this.#gate.closed) {
      const commands = this.#proposals.take()
      if (commands === null) return
      const proposed = this.#raft.propose([this.#events.encodeBatch(commands)])
      if (!proposed.accepted) {
        // Leadership is being handed over or the quota is used up: wait, the gateways hold the rest.
        this.#proposals.putBack(commands)
        return
      }
      this.#times.proposed(proposed.index, commands.length, this.#clock)
    }
  }

  #process(): void {
    while (!this.#stopped && this.#raft.hasReady()) {
      this.#handle(this.#raft.ready())
      this.#noticeLeader()
      this.#applies.run()
    }
    this.#noticeLeader()
    this.#noticeConfiguration()
    this.#compactor.run()
  }

  #handle(ready: Ready): void {
    if (ready.append !== null) this.#failpoints.hit('replica.readyTaken')
    this.#send(ready.messages)
    if (ready.lostLog !== null) this.#fail(new LostLogError(ready.lostLog))
    if (ready.append !== null) {
      if (ready.messages.length > 0) this.#failpoints.hit('replica.sentUnwritten')
      if (ready.append.snapshot === null) this.#write(ready.append)
      else this.#installs.install(ready.append, ready.append.snapshot)
    }
    if (this.hasAuthority && ready.committed.length > 0) {
      this.#failpoints.hit('leader.committedUnanswered')
    }
    this.#times.committed(ready.committed, this.#clock)
    this.#applies.push(ready.committed)
    for (const read of ready.reads) {
      if (read.index > 0) this.#failpoints.hit('replica.readConfirmed')
      this.#reads.answered(read)
    }
  }

  #send(messages: readonly Message[]): void {
    const leaving: PeerMessage[] = []
    for (const message of messages) {
      if (message.type === 'snapshot') this.#events.sendSnapshot(message.to)
      else if (!this.#withholds(message)) leaving.push(message)
    }
    if (leaving.length > 0) this.#events.send(leaving)
  }

  /**
   * A drill at `leader.appendedUnsent` keeps its entries to itself until it dies of it. Without the
   * authority it would not: it could never commit what makes it one.
   */
  #withholds(message: Message): boolean {
    if (message.type !== 'append' || message.entries.length === 0) return false
    return this.hasAuthority && this.#failpoints.armed('leader.appendedUnsent')
  }

  /** One write and one fdatasync; the core hands out the next only after this one is done. */
  #write(append: StorageAppend): void {
    const { hardState, entries } = append
    const to = { log: this.#log, clock: this.#clock, metrics: this.#metrics }
    measuredAppend(to, { hardState, entries, snapshot: null }, (error) => {
      if (error === null) this.#persisted(append)
      else this.#fail(error)
    })
  }

  /** `append` is durable: only now may what depends on it leave. */
  #persisted(append: StorageAppend): void {
    if (this.#stopped) return
    if (this.hasAuthority && append.entries.length > 0) {
      this.#failpoints.hit('leader.appendedUnsent')
    }
    this.#places.persisted(append)
    this.#send(append.responses)
    if (append.responses.length > 0) this.#failpoints.hit('replica.sentUnconfirmed')
    this.#raft.persisted(append.ticket)
    this.#stateMachine.logPersisted(this.#log.lastIndex())
    if (!this.#inTurn) this.#schedule()
  }

  #applied(entry: Entry): void {
    this.#raft.applied(entry.index)
    const { role, term } = this.#raft
    if (role === Role.leader && entry.term === term && this.#authorityTerm !== term) {
      this.#authorityTerm = term
      this.#failpoints.hit('replica.authorityGained')
      this.#events.onAuthority(term)
    }
    this.#events.onApplied(entry.index)
    this.#failpoints.hit('replica.appliedUnanswered')
    // Proposals that the quota held back, or that came before the authority, wait for a new turn.
    if (!this.#inTurn || this.#proposals.bytes > 0) this.#schedule()
  }

  #noticeLeader(): void {
    const { leader, term, role } = this.#raft
    if (role !== Role.leader && this.#authorityTerm !== 0) {
      this.#authorityTerm = 0
      this.#proposals.clear()
      this.#times.clear()
    }
    if (leader === this.#leader && term === this.#term) return
    this.#elections.noticed(this.#raft.status())
    this.#leader = leader
    this.#term = term
    this.#reads.failAll()
    this.#events.onLeader(leader, term)
  }

  #noticeConfiguration(): void {
    const before = this.#configuration
    const now = this.#raft.configuration
    if (now === before) return
    this.#configuration = now
    this.#places.reconfigured(before, now)
    this.#events.onConfiguration()
  }

  #fail(error: Error): void {
    if (this.#stopped) return
    this.stop()
    this.#events.onFatal(error)
  }
}
