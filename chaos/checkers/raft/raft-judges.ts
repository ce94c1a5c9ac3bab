import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import { CommittedEntries } from './committed-entries.ts'
import { ConfigurationSafety } from './configuration-safety.ts'
import type { DurableLog, SyncedBatch } from './durable-log.ts'
import { ElectionSafety } from './election-safety.ts'
import { LeaderAppendOnly } from './leader-append-only.ts'
import { LeaderKnowledge } from './leader-knowledge.ts'
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

type Hook = keyof RaftChecker
type Listener<H extends Hook> = RaftChecker & Required<Pick<RaftChecker, H>>

/** All that watch the nodes. Each hears only what it judges: most of it happens very often. */
export class RaftJudges implements Required<RaftChecker> {
  readonly elections: ElectionSafety
  readonly agreement = new StateAgreement()
  readonly committed: CommittedEntries
  readonly restarts = new RestartEquivalence()
  readonly sent = new SentIsDurable()
  readonly #status: readonly Listener<'onStatus'>[]
  readonly #message: readonly Listener<'onMessage'>[]
  readonly #batch: readonly Listener<'onBatch'>[]
  readonly #started: readonly Listener<'onStarted'>[]
  readonly #applied: readonly Listener<'onApplied'>[]

  /** `disks` are those of all nodes, for as long as the judges are at it. */
  constructor(disks: readonly DurableLog[]) {
    this.elections = new ElectionSafety(() => disks)
    this.committed = new CommittedEntries(() => disks)
    const all: readonly RaftChecker[] = [
      this.elections,
      new MonotonicPromises(),
      new LogMatching(),
      new PersistBeforeSend(),
      this.committed,
      this.agreement,
      new RestartKeeps(),
      new LeaderAppendOnly(),
      new PositionsInOrder(),
      new LeaderKnowledge(() => disks),
      new ConfigurationSafety(this.committed),
      new PreVotePure(),
      this.restarts,
      this.sent,
    ]
    const listening = <H extends Hook>(hook: H) =>
      all.filter((one): one is Listener<H> => one[hook] !== undefined)
    this.#status = listening('onStatus')
    this.#message = listening('onMessage')
    this.#batch = listening('onBatch')
    this.#started = listening('onStarted')
    this.#applied = listening('onApplied')
  }

  onStatus(replica: ObservedReplica, status: RaftStatus): void {
    for (const one of this.#status) one.onStatus(replica, status)
  }

  onMessage(replica: ObservedReplica, message: Message): void {
    for (const one of this.#message) one.onMessage(replica, message)
  }

  onBatch(replica: ObservedReplica, synced: SyncedBatch): void {
    for (const one of this.#batch) one.onBatch(replica, synced)
  }

  onStarted(replica: ObservedReplica, status: RaftStatus): void {
    for (const one of this.#started) one.onStarted(replica, status)
  }

  onApplied(replica: ObservedReplica, index: number, hash: string): void {
    for (const one of this.#applied) one.onApplied(replica, index, hash)
  }
}
