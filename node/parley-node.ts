import {
  ClusterNode,
  DEFAULT_REPLICA_OPTIONS,
  type Failpoints,
  type FrameHandler,
  type Logger,
  type MemberChange,
  type MemberChangeRefusal,
  NO_ONE,
  PeerFrameKind,
  type RaftId,
  type Replica,
} from '#cluster'
import { LIMITS } from '#protocol'
import { type ClusterView, clusterView } from './admin/cluster-view.ts'
import { AppliedWaiters } from './applied-waiters.ts'
import { CatchUp } from './catch-up.ts'
import { StartError } from './data-directory.ts'
import { failingChecks } from './failing-checks.ts'
import { decodeForward, decodeRefusals } from './forward-frame.ts'
import { newFilters } from './filters/new-filters.ts'
import { Forwarder } from './forwarder.ts'
import type { ClientListener } from './gateway/client-listener.ts'
import { DEFAULT_GATEWAY_OPTIONS } from './gateway/gateway-options.ts'
import { Gateway } from './gateway/gateway.ts'
import { newAuthenticator } from './identity/new-authenticator.ts'
import { handLeadershipOn } from './hand-leadership-on.ts'
import { LogClock } from './log-clock.ts'
import { countedApply } from './metrics/applied-metrics.ts'
import { MetricsRegistry } from './metrics/metrics-registry.ts'
import { defineNodeMetrics } from './metrics/node-metrics.ts'
import { defineWorkMetrics } from './metrics/work-metrics.ts'
import { NodePush } from './push/node-push.ts'
import { newSignalRouter, readSignalFrame } from './signals/node-signals.ts'
import type { SignalRouter } from './signals/signal-router.ts'
import { AUDIT_EVERY_ENTRIES, decodeHashPoint, StateAudit } from './state-audit.ts'
import { NodeRetention } from './retention/node-retention.ts'
import { StoreScrub } from './store-scrub.ts'
import { NodeBackend } from './node-backend.ts'
import { type NodeData, openNodeData } from './node-data.ts'
import { nodeHttp } from './node-http.ts'
import { type NodePorts, type NodeSettings, ownUrl } from './node-settings.ts'
import { encodeBatch } from './state-machine/batch-codec.ts'
import type { ApplyListener, StateReader } from './state-machine/types.ts'

/** Of a node that founds a cluster alone: whoever knows it as a member dials it within this time. */
const LISTEN_FIRST_MS = 5_000

/** How long the clients of a removed node get to leave on their own. */
const REMOVED_DRAIN_MS = 5_000

/** One node of a cluster, whole: log, store, state, replica, gateway. Only its ports are outside. */
export class ParleyNode {
  readonly #settings: NodeSettings
  readonly #ports: NodePorts
  readonly #logger: Logger
  readonly #data: NodeData
  readonly #logClock: LogClock
  readonly #waiters: AppliedWaiters
  readonly #catchUp: CatchUp
  readonly #forwarder: Forwarder
  readonly #backend: NodeBackend
  readonly #gateway: Gateway
  readonly #cluster: ClusterNode
  readonly #audit: StateAudit
  readonly #signals: SignalRouter
  readonly #push: NodePush
  readonly #retention: NodeRetention
  readonly #scrub: StoreScrub
  /** For clients, and for operators if they have one of their own. */
  readonly #listeners: ClientListener[] = []
  #draining = false
  #strangerTo: string | null = null
  #ended = false
  #end!: (error: Error | null) => void
  /** Resolves once: `null` after `close`, else what made the node stop. */
  readonly ended = new Promise<Error | null>((resolve) => (this.#end = resolve))

  /**
   * Opens the directory, takes the ports, and resolves when peers and clients can connect; the
   * cluster may still be forming.
   *
   * @throws StartError, LogDamagedError and others whose message says what an operator does next
   */
  static async start(
    settings: NodeSettings,
    ports: NodePorts,
    logger: Logger,
    failpoints: Failpoints,
  ): Promise<ParleyNode> {
    if (!settings.initialMembers.some(({ name }) => name === settings.name)) {
      throw new StartError(`--initial-members must name this node, ${settings.name}`)
    }
    const onFailure = (error: Error) => node.#fail(error)
    const data = await openNodeData(settings, ports, { logger, failpoints, onFailure })
    const node: ParleyNode = new ParleyNode(settings, ports, logger, failpoints, data)
    try {
      await node.#listen()
    } catch (error) {
      await node.close()
      throw error
    }
    return node
  }

  private constructor(
    settings: NodeSettings,
    ports: NodePorts,
    logger: Logger,
    failpoints: Failpoints,
    data: NodeData,
  ) {
    this.#settings = settings
    this.#ports = ports
    this.#logger = logger
    this.#data = data
    this.#logClock = new LogClock(ports.clock)
    this.#waiters = new AppliedWaiters(ports.clock, data.stateMachine.appliedIndex)
    this.#catchUp = new CatchUp(ports.clock, this.#waiters, {
      onDone: () => logger.info('node.ready'),
      onFatal: (error) => this.#fail(error),
    })
    this.#forwarder = this.#newForwarder(failpoints)
    this.#cluster = this.#newCluster(failpoints)
    const metrics = new MetricsRegistry()
    const filters = newFilters(settings, { clock: ports.clock, logger, metrics }, (write, done) =>
      this.#forwarder.submit(write, done),
    )
    this.#backend = new NodeBackend({
      self: { id: settings.name, url: ownUrl(settings) },
      log: data.log,
      state: data.stateMachine.reader,
      waiters: this.#waiters,
      filters,
      cluster: () => this.#cluster,
      signals: () => this.#signals,
      failing: () => this.#failing(),
      serving: () => this.#catchUp.done && !this.#draining,
    })
    defineNodeMetrics(metrics, {
      settings,
      ports,
      data,
      cluster: () => this.#cluster,
      failing: () => this.#failing(),
      pendingWrites: () => this.#forwarder.pending,
    })
    this.#gateway = this.#newGateway(metrics, failpoints)
    this.#audit = this.#newAudit()
    this.#signals = newSignalRouter({
      clock: ports.clock,
      log: data.log,
      cluster: this.#cluster,
      metrics,
      deliver: (signal) => this.#gateway.onSignal(signal),
    })
    this.#push = this.#newPush(metrics)
    data.stateMachine.listen(countedApply(metrics, this.#applyListener()))
    this.#retention = this.#newRetention()
    this.#scrub = new StoreScrub(
      ports.clock,
      logger,
      () => data.stores.store,
      (error) => this.#discardState(error),
    )
    defineWorkMetrics(metrics, {
      retention: this.#retention.leading,
      scrub: this.#scrub,
      audit: this.#audit,
      forwarder: this.#forwarder,
    })
  }

  /** This node's member of the group, `null` before there is one: for whoever watches from inside. */
  get replica(): Replica | null {
    return this.#cluster.replica
  }

  /** The applied state, for the same. */
  get state(): StateReader {
    return this.#data.stateMachine.reader
  }

  view(): ClusterView {
    return clusterView({
      name: this.#settings.name,
      version: this.#settings.version,
      log: this.#data.log,
      cluster: this.#cluster,
      initialMembers: this.#settings.initialMembers,
      leader: () => this.#backend.leader(),
      readiness: () => this.#backend.readiness(),
      stateHash: () => this.#data.stateMachine.reader.stateHash,
    })
  }

  /**
   * Begins what an operator asks of the members; `null` if nothing speaks against it. Only the leader
   * can, and what became of it shows in `view().members`.
   */
  changeMembers(change: MemberChange): MemberChangeRefusal | null {
    return this.#cluster.changeMembers(change)
  }

  /** Sends clients elsewhere, hands leadership on, then closes. Nothing acknowledged depends on it. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#draining || this.#ended) return
    this.#draining = true
    this.#logger.info('node.drain')
    this.#listeners[0]?.stopAccepting()
    handLeadershipOn(this.#cluster.replica)
    await this.#gateway.drain(timeoutMs)
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#catchUp.close()
    this.#scrub.close()
    this.#retention.close()
    this.#push.close()
    this.#signals.close()
    this.#gateway.close()
    for (const listener of this.#listeners) await listener.close()
    await this.#cluster.close()
    this.#forwarder.close()
    this.#waiters.close()
    await this.#data.stateMachine.close()
    await this.#data.stores.close()
    await this.#data.log.close()
    this.#end(null)
  }

  async #listen(): Promise<void> {
    const { clientNetwork } = this.#ports
    const { listen, adminListen } = this.#settings
    const { handlers, operatorHandlers } = this.#gateway
    this.#listeners.push(await clientNetwork.listenForClients(listen, handlers))
    if (adminListen !== undefined) {
      this.#listeners.push(await clientNetwork.listenForClients(adminListen, operatorHandlers))
    }
    await this.#cluster.start()
  }

  /** What apply tells of, and to whom it goes. */
  #applyListener(): ApplyListener {
    return {
      onResult: (origin, request, result) => {
        this.#forwarder.result(origin, request, result)
      },
      onEvent: (conversation, event) => {
        this.#gateway.onEvent(conversation, event)
        this.#push.onEvent(conversation, event)
      },
      onRemoved: (removal) => this.#gateway.onRemoved(removal),
      onReceipt: (receipt) => this.#gateway.onReceipt(receipt),
      onDuplicate: (conversation, seq, from) => this.#gateway.onDuplicate(conversation, seq, from),
      onApplied: (index) => this.#audit.applied(index),
      onRevoked: (revocation) => this.#gateway.revoked(revocation),
      onPush: ({ user, device }) => this.#push.onPush(user, device),
      onSettings: (values) => this.#logger.info('settings.changed', { ...values }),
    }
  }

  #newCluster(failpoints: Failpoints): ClusterNode {
    const { clock, random, network } = this.#ports
    const { name, peerListen, initialMembers, dev, replica } = this.#settings
    const segmentBytes = this.#settings.log?.segmentBytes
    const { log, stateMachine } = this.#data
    return new ClusterNode({
      name,
      peerListen,
      initialMembers,
      autoReplace: dev,
      foundAloneAfterMs: dev ? 0 : LISTEN_FIRST_MS,
      options: {
        ...DEFAULT_REPLICA_OPTIONS,
        // Whole segments are forgotten, so a bound of few of them would bind nothing.
        ...(segmentBytes === undefined ? {} : { trailingLogBytes: 4 * segmentBytes }),
        ...replica,
      },
      clock,
      random,
      network,
      logger: this.#logger,
      log,
      stateMachine,
      failpoints,
      events: {
        onReplica: (started) => this.#catchUp.begin(started),
        onLeader: (leader, term) => this.#leaderChanged(leader, term),
        onAuthority: () => {
          this.#logClock.anchor(stateMachine.logTime)
          this.#forwarder.authority()
        },
        encodeBatch: (commands) =>
          encodeBatch({ logTime: this.#logClock.nowMs(), wallTime: clock.wallMs() }, commands),
        onApplied: (index) => this.#waiters.advance(index),
        onSnapshotInstalled: () => this.#gateway.resync(),
        readFrame: (from, kind, body) => this.#readFrame(from, kind, body),
        onPeerUp: (id) => {
          if (id === this.#cluster.replica?.leader) {
            this.#forwarder.handAgain()
            this.#push.leaderUp()
          }
          this.#signals.peerUp(id)
        },
        onRemoved: () => this.#removed(),
        onStranger: (clusterId) => this.#stranger(clusterId),
        onFatal: (error) => this.#fail(error),
      },
    })
  }

  #newGateway(metrics: MetricsRegistry, failpoints: Failpoints): Gateway {
    const { clock, random } = this.#ports
    const http = nodeHttp({
      readiness: () => this.#backend.readiness(),
      clusterView: () => this.view(),
      metrics,
      logTimeMs: () => this.#retention.logTimeMs,
      push: this.#settings.push ?? null,
      version: this.#settings.version,
      logger: this.#logger,
      isSplit: this.#settings.adminListen !== undefined,
    })
    return new Gateway({
      backend: this.#backend,
      clock,
      random,
      logger: this.#logger,
      failpoints,
      metrics,
      options: { dev: this.#settings.dev, ...this.#settings.gateway },
      // Whom a draining node sends away is on his way to another one, and not absent.
      onSession: (user, device) => this.#draining || this.#push.sessionChanged(user, device),
      onRequest: (request, context) => http.clients.handle(request, context),
      onOperatorRequest: (request, context) => http.operators.handle(request, context),
      authenticator: newAuthenticator(this.#settings, clock, this.#logger, this.state),
      origins: this.#settings.origins ?? {},
    })
  }

  #newRetention(): NodeRetention {
    return new NodeRetention({
      clock: this.#ports.clock,
      logger: this.#logger,
      state: this.#data.stateMachine.reader,
      leads: () => this.#cluster.replica?.hasAuthority ?? false,
      now: () => this.#logClock.nowMs(),
      needsEntry: (logTime) => this.#data.stateMachine.erasureNeedsEntry(logTime),
      submit: (submission, done) => this.#forwarder.submit(submission, done),
    })
  }

  #newPush(metrics: MetricsRegistry): NodePush {
    return new NodePush({
      ...this.#ports,
      logger: this.#logger,
      data: this.#data,
      cluster: this.#cluster,
      metrics,
      settings: this.#settings.push ?? null,
      gateway: () => this.#gateway,
      submit: (submission, done) => this.#forwarder.submit(submission, done),
    })
  }

  #newAudit(): StateAudit {
    const { log, stateMachine } = this.#data
    return new StateAudit({
      logger: this.#logger,
      self: log.raftId,
      everyEntries: this.#settings.auditEveryEntries ?? AUDIT_EVERY_ENTRIES,
      voters: () => this.#cluster.replica?.configuration.voters.map(({ id }) => id) ?? [],
      stateHash: () => stateMachine.reader.stateHash,
      report: (point) => {
        for (const { raftId } of this.#cluster.transport.peersUp()) {
          this.#cluster.transport.sendJson(raftId, PeerFrameKind.stateHash, point)
        }
      },
      onDiverged: ({ index }) =>
        this.#discardState(
          new Error(`the state at index ${index} differs from what a majority holds`),
        ),
    })
  }

  #newForwarder(failpoints: Failpoints): Forwarder {
    const { clock, random } = this.#ports
    return new Forwarder({
      clock,
      random,
      logger: this.#logger,
      failpoints,
      raftId: this.#data.log.raftId,
      limits: {
        bodyBytes: this.#settings.gateway?.maxBodyBytes ?? DEFAULT_GATEWAY_OPTIONS.maxBodyBytes,
        metaBytes: LIMITS.metaBytes,
      },
      replica: () => this.#cluster.replica,
      send: (to, frame) => this.#cluster.transport.send(to, frame),
      sendJson: (to, kind, value) => this.#cluster.transport.sendJson(to, kind, value),
      isUp: (id) => this.#cluster.transport.isUp(id),
      leaderRef: () => this.#backend.leader(),
    })
  }

  #leaderChanged(leader: RaftId, term: number): void {
    this.#logger.info('raft.leader', { leader: this.#backend.leader()?.id ?? null, term })
    this.#forwarder.leaderLost()
    if (leader !== NO_ONE && leader !== this.#data.log.raftId) this.#forwarder.handAgain()
    this.#gateway.leaderChanged()
    this.#push.leaderUp()
  }

  #readFrame(from: RaftId, kind: number, body: Uint8Array): FrameHandler {
    switch (kind) {
      case PeerFrameKind.forward: {
        const commands = decodeForward(body)
        return () => this.#forwarder.received(from, commands)
      }
      case PeerFrameKind.forwardRefused: {
        const refusals = decodeRefusals(body)
        return () => this.#forwarder.refused(refusals)
      }
      case PeerFrameKind.sessions:
        return this.#push.readReport(from, body)
      case PeerFrameKind.stateHash: {
        const point = decodeHashPoint(body)
        return () => this.#audit.received(from, point)
      }
      default:
        return readSignalFrame(this.#signals, kind, body)
    }
  }

  #failing(): string[] {
    return failingChecks({
      name: this.#settings.name,
      replica: this.#cluster.replica,
      draining: this.#draining,
      strangerTo: this.#strangerTo,
      caughtUp: this.#catchUp.done,
    })
  }

  #stranger(clusterId: string): void {
    if (this.#strangerTo === clusterId) return
    this.#strangerTo = clusterId
    this.#logger.error('node.stranger', {
      message: `cluster ${clusterId} exists and does not know this empty data directory. If ${this.#settings.name} lost its disk, run on another node: parley members replace ${this.#settings.name}`,
    })
  }

  /** Its clients go elsewhere; its directory is of no use to anybody any more. */
  #removed(): void {
    if (this.#draining || this.#ended) return
    this.#logger.warn('node.removed', {
      message: `${this.#settings.name} was removed from its cluster and ends; its data directory may be deleted`,
    })
    this.drain(REMOVED_DRAIN_MS).catch((error: Error) => this.#fail(error))
  }

  /**
   * Rule K5: this node's state is wrong, its log is not. It serves nobody any more, hands leadership
   * on and ends; the next start rebuilds the state from the log or from a peer.
   */
  #discardState(cause: Error): void {
    if (this.#ended || this.#draining) return
    this.#draining = true
    this.#logger.error('state.discarded', {
      error: cause,
      message: 'this node throws its state away and ends; started again it rebuilds it',
    })
    this.#gateway.close()
    handLeadershipOn(this.#cluster.replica)
    const discard = async () => {
      await this.#data.stateMachine.close()
      await this.#data.stores.discard()
    }
    discard().then(
      () => this.#fail(cause),
      (error: Error) => this.#fail(error),
    )
  }

  /** Stop rather than guess: no farewell that a damaged node could get wrong. */
  #fail(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#logger.error('node.failed', { error })
    this.#retention.close()
    this.#push.close()
    this.#cluster.replica?.stop()
    this.#gateway.close()
    this.#end(error)
  }
}
