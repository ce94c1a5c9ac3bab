import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import { CommittedEntries } from './committed-entries.ts'
import { ConfigurationSafety } from './configuration-safety.ts'
import type { DurableLog, SyncedBatch } from './durable-log.ts'
import { ElectionSafety } from './election-safety.ts'
import { LeaderAppendOnly } from './leader-append-only.ts'
import { LeaderKnowledge } from './leader-knowledge.ts'
import { LevelSafety } from './level-safety.ts'
import { LogMatching } from './log-matching.ts'
import { MonotonicPromises } from './monotonic-promises.ts'
import { PersistBeforeSend } from './persist-before-send.ts'
import { PositionsInOrder } from './positions-in-order.ts'
import { PreVotePure } from './pre-vote-pure.ts'
import type { ObservedReplica, RaftChecker } from './raft-checker.ts'
import { RestartEquivalence } from './restart-equivalence.ts'
import { RestartKeeps } from './restart-keeps.ts'
import { SentIsDurable } from './sent-is-durable.ts'
import { StateAgreement } from './state-agreement.ts'

/**
 * All that watch the nodes. Most of it happens very often, so each is called by its name, where the
 * engine knows what it calls, and hears only what it judges.
 */
export class RaftJudges implements Required<RaftChecker> {
  readonly elections: ElectionSafety
  readonly agreement = new StateAgreement()
  readonly committed: CommittedEntries
  readonly restarts = new RestartEquivalence()
  readonly sent: SentIsDurable
  readonly #promises = new MonotonicPromises()
  readonly #matching = new LogMatching()
  readonly #persist = new PersistBeforeSend()
  readonly #keeps = new RestartKeeps()
  readonly #appendOnly = new LeaderAppendOnly()
  readonly #positions = new PositionsInOrder()
  readonly #knowledge: LeaderKnowledge
  readonly #configurations: ConfigurationSafety
  readonly #levels: LevelSafety
  readonly #preVotes = new PreVotePure()

  /** `disks` are those of all nodes, for as long as the judges are at it. */
  constructor(disks: readonly DurableLog[]) {
    this.elections = new ElectionSafety(() => disks)
    this.committed = new CommittedEntries(() => disks)
    this.#knowledge = new LeaderKnowledge(() => disks)
    this.#configurations = new ConfigurationSafety(this.committed, () => disks)
    this.#levels = new LevelSafety(this.committed)
    this.sent = new SentIsDurable((view, at) => this.#levels.onCommand(view, at))
  }

  onStatus(replica: ObservedReplica, status: RaftStatus): void {
    this.elections.onStatus(replica, status)
    this.#promises.onStatus(replica, status)
    this.committed.onStatus(replica, status)
    this.#appendOnly.onStatus(replica, status)
    this.#positions.onStatus(replica, status)
    this.#knowledge.onStatus(replica, status)
    this.#configurations.onStatus(replica, status)
    this.#levels.onStatus(replica)
    this.#preVotes.onStatus(replica, status)
    this.sent.onStatus(replica)
  }

  onMessage(replica: ObservedReplica, message: Message): void {
    this.elections.onMessage(replica, message)
    this.#promises.onMessage(replica, message)
    this.#matching.onMessage(replica, message)
    this.#persist.onMessage(replica, message)
    this.#preVotes.onMessage(replica, message)
  }

  onBatch(replica: ObservedReplica, synced: SyncedBatch): void {
    this.#matching.onBatch(replica, synced)
    this.committed.onBatch(replica, synced)
    this.#appendOnly.onBatch(replica, synced)
    this.#configurations.onBatch(replica, synced)
    this.sent.onBatch(replica, synced)
  }

  onStarted(replica: ObservedReplica, status: RaftStatus): void {
    this.#promises.onStarted(replica, status)
    this.#keeps.onStarted(replica, status)
    this.#positions.onStarted(replica, status)
    this.#preVotes.onStarted(replica, status)
    this.restarts.onStarted(replica)
    this.#levels.onStarted(replica)
  }

  onApplied(replica: ObservedReplica, index: number, hash: string): void {
    this.agreement.onApplied(replica, index, hash)
    this.#positions.onApplied(replica, index)
    this.restarts.onApplied(replica, index, hash)
  }
}
