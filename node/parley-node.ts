import {
  type Clock,
  ClusterNode,
  DEFAULT_REPLICA_OPTIONS,
  decodeJson,
  type Failpoints,
  type FileSystem,
  type InitialMember,
  type Logger,
  type LogStorage,
  type Network,
  NO_ONE,
  PeerFrameKind,
  type Random,
  type RaftId,
  type Replica,
  type ReplicaOptions,
  SegmentLog,
} from '#cluster'
import type { ErrorCode } from '#protocol'
import { AdminApi } from './admin/admin-api.ts'
import { AppliedWaiters } from './applied-waiters.ts'
import { CatchUp } from './catch-up.ts'
import { clusterView } from './cluster-view.ts'
import { openDataDirectory, StartError } from './data-directory.ts'
import { Forwarder } from './forwarder.ts'
import type { ClientListener, ClientNetwork } from './gateway/client-listener.ts'
import { Gateway } from './gateway/gateway.ts'
import type { GatewayOptions } from './gateway/gateway-options.ts'
import { LogClock } from './log-clock.ts'
import { MetricsRegistry } from './metrics/metrics-registry.ts'
import { defineNodeMetrics } from './metrics/node-metrics.ts'
import { NodeBackend } from './node-backend.ts'
import { encodeBatch } from './state-machine/batch-codec.ts'
import type { StateLimits } from './state-machine/limits.ts'
import type { StateReader } from './state-machine/types.ts'
import { ParleyStateMachine } from './state-machine/state-machine.ts'
import { EventKind } from './state-machine/types.ts'
import type { KeyValueDatabaseFactory } from './store/key-value-database.ts'
import { openStoreDirectory } from './store/store-directory.ts'
import type { StoreDirectory } from './store/store.ts'

/** Everything outside the process, so that a simulator can stand in for all of it. */
export interface NodePorts {
  readonly clock: Clock
  readonly random: Random
  readonly fileSystem: FileSystem
  readonly network: Network
  readonly clientNetwork: ClientNetwork
  readonly databases: KeyValueDatabaseFactory
}

export interface NodeSettings {
  readonly name: string
  /** Clients and HTTP, `host:port`. */
  readonly listen: string
  /** Peers, `host:port`. */
  readonly peerListen: string
  readonly dataDirectory: string
  readonly initialMembers: readonly InitialMember[]
  /** Lets clients on this machine in without a token. */
  readonly dev: boolean
  readonly version: string
  readonly replica?: Partial<ReplicaOptions>
  readonly gateway?: Partial<GatewayOptions>
  readonly log?: { readonly segmentBytes?: number }
  readonly state?: Partial<StateLimits>
  /** Memory, CPU, event loop of the process: not in a simulator. @default false */
  readonly processMetrics?: boolean
}

const LEADERLESS = 'no leader: a majority of the members cannot be reached'

/** One node of a cluster, whole: log, store, state, replica, gateway. Only its ports are outside. */
export class ParleyNode {
  readonly #settings: NodeSettings
  readonly #ports: NodePorts
  readonly #logger: Logger
  readonly #log: LogStorage
  readonly #stateMachine: ParleyStateMachine
  readonly #logClock: LogClock
  readonly #waiters: AppliedWaiters
  readonly #catchUp: CatchUp
  readonly #forwarder: Forwarder
  readonly #backend: NodeBackend
  readonly #gateway: Gateway
  readonly #cluster: ClusterNode
  readonly #stores: StoreDirectory
  #listener: ClientListener | null = null
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
    const { fileSystem, clock, random } = ports
    const { dataDirectory: data, name } = settings
    if (!settings.initialMembers.some((member) => member.name === name)) {
      throw new StartError(`--initial-members must name this node, ${name}`)
    }
    await openDataDirectory(fileSystem, data, name)
    const log = await SegmentLog.open({
      fileSystem,
      clock,
      random,
      directory: `${data}/log`,
      ...settings.log,
    })
    const stores = await openStoreDirectory({
      fileSystem,
      clock,
      databases: ports.databases,
      directory: `${data}/store`,
      log: logger,
    })
    if (stores.damaged !== null) await discardStore(stores, log, logger)
    const stateMachine = await ParleyStateMachine.open({
      directory: stores,
      clock,
      random,
      configuration: () => log.snapshot.configuration,
      onFailure: (error) => node.#fail(error),
      ...(settings.state === undefined ? {} : { limits: settings.state }),
    })
    if (stateMachine.appliedIndex > log.lastIndex()) {
      if (stateMachine.compactableIndex > 0) {
        throw new StartError(
          `the store of ${name} stands at index ${stateMachine.appliedIndex}, its log ends at ${log.lastIndex()}: the log lost what was synced. Do not start it again with this directory; run: parley members replace ${name}`,
        )
      }
      await finishInstall(stateMachine, log)
      logger.info('snapshot.installed', { index: log.lastIndex(), afterRestart: true })
    }
    const node: ParleyNode = new ParleyNode({
      settings,
      ports,
      logger,
      failpoints,
      log,
      stores,
      stateMachine,
    })
    await node.#listen()
    return node
  }

  private constructor(parts: {
    settings: NodeSettings
    ports: NodePorts
    logger: Logger
    failpoints: Failpoints
    log: LogStorage
    stores: StoreDirectory
    stateMachine: ParleyStateMachine
  }) {
    const { settings, ports, logger, log, stateMachine } = parts
    const { clock, random } = ports
    this.#settings = settings
    this.#ports = ports
    this.#logger = logger
    this.#log = log
    this.#stateMachine = stateMachine
    this.#stores = parts.stores
    this.#logClock = new LogClock(clock)
    this.#waiters = new AppliedWaiters(clock, stateMachine.appliedIndex)
    this.#catchUp = new CatchUp(clock, this.#waiters, () => logger.info('node.ready'))
    this.#forwarder = this.#newForwarder()
    this.#cluster = new ClusterNode({
      name: settings.name,
      peerListen: settings.peerListen,
      initialMembers: settings.initialMembers,
      autoReplace: settings.dev,
      options: { ...DEFAULT_REPLICA_OPTIONS, ...settings.replica },
      clock,
      random,
      network: ports.network,
      logger,
      log,
      stateMachine,
      failpoints: parts.failpoints,
      events: {
        onReplica: (replica) => this.#catchUp.begin(replica),
        onLeader: (leader, term) => this.#leaderChanged(leader, term),
        onAuthority: () => {
          this.#logClock.anchor(stateMachine.logTime)
          this.#forwarder.authority()
        },
        encodeBatch: (commands) =>
          encodeBatch({ logTime: this.#logClock.nowMs(), wallTime: clock.wallMs() }, commands),
        onApplied: (index) => this.#waiters.advance(index),
        onSnapshotInstalled: () => this.#gateway.resync(),
        onFrame: (from, kind, body) => this.#frame(from, kind, body),
        onPeerUp: (id) => {
          if (id === this.#cluster.replica?.leader) this.#forwarder.handAgain()
        },
        onStranger: (clusterId) => this.#stranger(clusterId),
        onFatal: (error) => this.#fail(error),
      },
    })
    this.#backend = new NodeBackend({
      self: { id: settings.name, url: this.#ownUrl() },
      log,
      state: stateMachine.reader,
      waiters: this.#waiters,
      forwarder: this.#forwarder,
      cluster: () => this.#cluster,
      failing: () => this.#failing(),
      serving: () => this.#catchUp.done && !this.#draining,
    })
    const metrics = new MetricsRegistry()
    if (settings.processMetrics === true) metrics.collectProcessMetrics()
    const applied = defineNodeMetrics(metrics, () => this.#cluster, log, settings)
    const admin = new AdminApi({
      readiness: () => this.#backend.readiness(),
      clusterView: () => this.view(),
      metrics,
      logger,
    })
    this.#gateway = new Gateway({
      backend: this.#backend,
      clock,
      random,
      logger,
      metrics,
      options: { dev: settings.dev, ...settings.gateway },
      onRequest: (head) => admin.handle(head),
    })
    stateMachine.listen({
      onResult: (origin, request, result) => {
        this.#forwarder.result(origin, request, result)
      },
      onEvent: (conversation, event) => {
        if (event.kind === EventKind.message) applied.messages.add()
        this.#gateway.onEvent(conversation, event)
      },
      onApplied: () => {},
    })
  }

  /** This node's member of the group, `null` before there is one: for whoever watches from inside. */
  get replica(): Replica | null {
    return this.#cluster.replica
  }

  /** The applied state, for the same. */
  get state(): StateReader {
    return this.#stateMachine.reader
  }

  view() {
    return clusterView({
      name: this.#settings.name,
      version: this.#settings.version,
      log: this.#log,
      cluster: this.#cluster,
      initialMembers: this.#settings.initialMembers,
      leader: () => this.#backend.leader(),
      readiness: () => this.#backend.readiness(),
      stateHash: () => this.#stateMachine.reader.stateHash,
    })
  }

  /** Sends clients elsewhere, hands leadership on, then closes. Nothing acknowledged depends on it. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#draining || this.#ended) return
    this.#draining = true
    this.#logger.info('node.drain')
    this.#listener?.stopAccepting()
    this.#handLeadershipOn()
    await this.#gateway.drain(timeoutMs)
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#catchUp.close()
    this.#gateway.close()
    await this.#listener?.close()
    await this.#cluster.close()
    this.#forwarder.close()
    this.#waiters.close()
    await this.#stateMachine.close()
    await this.#stores.close()
    await this.#log.close()
    this.#end(null)
  }

  async #listen(): Promise<void> {
    this.#listener = await this.#ports.clientNetwork.listenForClients(
      this.#settings.listen,
      this.#gateway.handlers,
    )
    await this.#cluster.start()
  }

  #newForwarder(): Forwarder {
    const { clock, random } = this.#ports
    return new Forwarder({
      clock,
      random,
      logger: this.#logger,
      raftId: this.#log.raftId,
      replica: () => this.#cluster.replica,
      send: (to, kind, body) => this.#cluster.transport.send(to, kind, body),
      sendJson: (to, kind, value) => this.#cluster.transport.sendJson(to, kind, value),
      isUp: (id) => this.#cluster.transport.isUp(id),
      leaderRef: () => this.#backend.leader(),
    })
  }

  #ownUrl(): string {
    const { initialMembers, name, listen } = this.#settings
    return initialMembers.find((member) => member.name === name)?.clientUrl ?? `http://${listen}`
  }

  #leaderChanged(leader: RaftId, term: number): void {
    this.#logger.info('raft.leader', { leader: this.#backend.leader()?.id ?? null, term })
    this.#forwarder.leaderLost()
    if (leader !== NO_ONE && leader !== this.#log.raftId) this.#forwarder.handAgain()
    this.#gateway.leaderChanged()
  }

  #frame(from: RaftId, kind: number, body: Uint8Array): void {
    if (kind === PeerFrameKind.forward) this.#forwarder.received(from, body)
    else if (kind === PeerFrameKind.forwardRefused) {
      this.#forwarder.refused(decodeJson(body) as { request: number; code: ErrorCode }[])
    } else this.#logger.warn('peer.frame.unknown', { from, kind })
  }

  #failing(): string[] {
    const reasons: string[] = []
    const replica = this.#cluster.replica
    if (this.#draining) reasons.push('draining: this node is going away')
    if (this.#strangerTo !== null && replica === null) {
      reasons.push(
        `stranger: cluster ${this.#strangerTo} does not know this empty data directory; run: parley members replace ${this.#settings.name}`,
      )
    } else if (replica === null) reasons.push('forming: not every initial member has been reached')
    else if (replica.leader === NO_ONE) reasons.push(LEADERLESS)
    if (replica !== null && !replica.configuration.voters.some(({ id }) => id === replica.raftId)) {
      reasons.push('not a voter: this node is being taken in, or was removed')
    }
    if (replica !== null && !this.#catchUp.done) {
      reasons.push('catching up: not yet applied what a leader confirmed after the start')
    }
    return reasons
  }

  #handLeadershipOn(): void {
    const replica = this.#cluster.replica
    if (replica === null || replica.leader !== this.#log.raftId) return
    const best = replica
      .status()
      .progress.filter(({ id, learner }) => !learner && id !== this.#log.raftId)
      .sort((a, b) => b.match - a.match)[0]
    if (best !== undefined) replica.transferLeadership(best.id)
  }

  #stranger(clusterId: string): void {
    if (this.#strangerTo === clusterId) return
    this.#strangerTo = clusterId
    this.#logger.error('node.stranger', {
      message: `cluster ${clusterId} exists and does not know this empty data directory. If ${this.#settings.name} lost its disk, run on another node: parley members replace ${this.#settings.name}`,
    })
  }

  /** Stop rather than guess: no farewell that a damaged node could get wrong. */
  #fail(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#logger.error('node.failed', { error })
    this.#gateway.close()
    this.#end(error)
  }
}

/**
 * Rule K6: this node ended between taking a snapshot over and noting it in its log. A store that was
 * installed has no cut before its first, which tells it from one whose log lost its end. The log's
 * term may be older than the snapshot's: then nothing was ever promised in the newer one.
 */
async function finishInstall(stateMachine: ParleyStateMachine, log: LogStorage): Promise<void> {
  const source = await stateMachine.openSnapshot()
  const snapshot = source.meta
  await source.close()
  const hardState =
    snapshot.term > log.hardState.term
      ? { term: snapshot.term, vote: NO_ONE, commit: snapshot.index }
      : null
  await new Promise<void>((resolve, reject) => {
    log.append({ hardState, entries: [], snapshot }, (error) =>
      error === null ? resolve() : reject(error),
    )
  })
}

/** Rule K3: the log is whole, so the state can be had again, by replay or from a peer. */
async function discardStore(
  stores: StoreDirectory,
  log: LogStorage,
  logger: Logger,
): Promise<void> {
  const source = log.firstIndex() === 1 ? 'by replaying the log' : "from a peer's snapshot"
  logger.error('store.damaged', {
    error: stores.damaged,
    message: `the store is damaged and thrown away; it is rebuilt ${source}`,
  })
  await stores.discard()
}
