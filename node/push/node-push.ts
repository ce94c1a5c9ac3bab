import {
  type Clock,
  type ClusterNode,
  type Logger,
  NO_ONE,
  PeerFrameKind,
  type RaftId,
  type Random,
} from '#cluster'
import type { Gateway } from '../gateway/gateway.ts'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import { definePushMetrics } from '../metrics/push-metrics.ts'
import type { NodeData } from '../node-data.ts'
import type { Submission } from '../state-machine/commands.ts'
import {
  type AppliedConversation,
  type ConversationEvent,
  EventKind,
} from '../state-machine/types.ts'
import type { PushSettings } from './push-provider.ts'
import { type PushHost, PushToAbsent } from './push-to-absent.ts'
import { decodeSessionReport, type SessionReport } from './session-report.ts'
import { SessionReporter } from './session-reporter.ts'

interface NodeParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly data: Pick<NodeData, 'log' | 'stateMachine'>
  readonly cluster: ClusterNode
  readonly metrics: MetricsRegistry
  /** `null`: this node calls nobody, and still says who is there. */
  readonly settings: PushSettings | null
  gateway(): Gateway
  submit(submission: Submission, done: Parameters<PushHost['submit']>[1]): void
}

/** Push of one node (rule B9): what its gateway says of sessions, and what it does as a leader. */
export class NodePush {
  readonly #parts: NodeParts
  readonly #reporter: SessionReporter
  readonly #leader: PushToAbsent | null

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { clock, settings } = parts
    const state = parts.data.stateMachine.reader
    this.#reporter = new SessionReporter({
      clock,
      state,
      sessions: () => parts.gateway().devicesHere(),
      hasSession: (user, device) => parts.gateway().hasSession(user, device),
      term: () => (this.#leaderId === NO_ONE ? null : this.#term),
      send: (report) => this.#send(report),
    })
    this.#leader = settings === null ? null : this.#newLeader(settings)
    definePushMetrics(parts.metrics, this.#leader)
  }

  /** There is another leader, or a new connection to the one there is. */
  leaderUp(): void {
    this.#reporter.leaderUp()
  }

  /** A session of the device began or ended here. */
  sessionChanged(user: string, device: string): void {
    this.#reporter.changed(user, device)
  }

  /** Called during apply. */
  onEvent({ id, large }: AppliedConversation, { kind }: ConversationEvent): void {
    if (kind === EventKind.message && !large) this.#leader?.onMessage(id)
  }

  /** Called during apply: the device subscribed, or was seen. */
  onPush(user: string, device: string): void {
    this.#leader?.onPush(user, device)
    this.#reporter.changed(user, device)
  }

  /** @throws PeerProtocolError */
  readReport(from: RaftId, body: Uint8Array): () => void {
    const report = decodeSessionReport(body)
    return () => this.#leader?.reported(from, report)
  }

  close(): void {
    this.#reporter.close()
    this.#leader?.close()
  }

  get #leaderId(): RaftId {
    return this.#parts.cluster.replica?.leader ?? NO_ONE
  }

  get #term(): number {
    return this.#parts.cluster.replica?.status().term ?? 0
  }

  #send(report: SessionReport): boolean {
    const { data, cluster } = this.#parts
    const leader = this.#leaderId
    if (leader !== data.log.raftId) {
      return cluster.transport.sendJson(leader, PeerFrameKind.sessions, report)
    }
    this.#leader?.reported(leader, report)
    return true
  }

  #newLeader(settings: PushSettings): PushToAbsent {
    const { clock, random, logger, data, cluster } = this.#parts
    const { log, stateMachine } = data
    return new PushToAbsent({
      clock,
      random,
      logger,
      state: stateMachine.reader,
      settings,
      self: () => log.raftId,
      leadingTerm: () => (this.#leaderId === log.raftId ? this.#term : null),
      hasAuthority: () => cluster.replica?.hasAuthority ?? false,
      gatewaysUp: () => {
        const { voters = [], learners = [] } = cluster.replica?.configuration ?? {}
        const members = new Set([...voters, ...learners].map(({ id }) => id))
        return cluster.transport
          .peersUp()
          .map(({ raftId }) => raftId)
          .filter((id) => members.has(id))
      },
      epoch: () => log.formation?.epoch ?? '',
      submit: (submission, done) => this.#parts.submit(submission, done),
    })
  }
}
