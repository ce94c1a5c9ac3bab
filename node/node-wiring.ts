import {
  ClusterNode,
  DEFAULT_REPLICA_OPTIONS,
  type Failpoints,
  type Logger,
  NO_ONE,
  PeerFrameKind,
  type RaftId,
} from '#cluster'
import { LIMITS } from '#protocol'
import type { BackupRoutesHost } from './admin/backup-routes.ts'
import type { ClusterCalls } from './admin/cluster-calls.ts'
import { type ClusterView, clusterView } from './admin/cluster-view.ts'
import { newClusterCalls } from './admin/node-calls.ts'
import { type SelfSources, selfSources } from './admin/self-routes.ts'
import { applyListener } from './apply-listener.ts'
import { AppliedWaiters } from './applied-waiters.ts'
import { nodeBackups } from './backup/node-backups.ts'
import { nodeAudit } from './audit/node-audit.ts'
import { CatchUp } from './catch-up.ts'
import { DataScrub, DEFAULT_SCRUB_OPTIONS } from './data-scrub.ts'
import type { DiskGuard } from './disk/disk-guard.ts'
import { nodeDiskGuard } from './disk/node-disk-guard.ts'
import { failingChecks } from './failing-checks.ts'
import type { FeatureLevels } from './feature-levels.ts'
import { nodeLevels } from './node-levels.ts'
import type { FilterChain } from './filters/filter-chain.ts'
import { filtersOf, newFilters } from './filters/new-filters.ts'
import { ForeignDirectory } from './foreign-directory.ts'
import { Forwarder } from './forwarder.ts'
import { DEFAULT_GATEWAY_OPTIONS } from './gateway/gateway-options.ts'
import type { Authenticator } from './gateway/auth.ts'
import { Gateway } from './gateway/gateway.ts'
import { newAuthenticator } from './identity/new-authenticator.ts'
import { LeaderWatch } from './leader-watch.ts'
import type { LiveSettings } from './live-settings.ts'
import { LogClock } from './log-clock.ts'
import { countedApply } from './metrics/applied-metrics.ts'
import { MetricsRegistry } from './metrics/metrics-registry.ts'
import { defineNodeMetrics } from './metrics/node-metrics.ts'
import { defineWorkMetrics } from './metrics/work-metrics.ts'
import { NodePush } from './push/node-push.ts'
import { newSignalRouter } from './signals/node-signals.ts'
import type { SignalRouter } from './signals/signal-router.ts'
import { AUDIT_EVERY_ENTRIES, StateAudit } from './state-audit.ts'
import { NodeDrain } from './node-drain.ts'
import { PeerStandings } from './peer-standings.ts'
import { NodeRetention } from './retention/node-retention.ts'
import { NodeBackend } from './node-backend.ts'
import { type NodeData } from './node-data.ts'
import { readNodeFrame } from './read-node-frame.ts'
import { nodeHttp } from './node-http.ts'
import { type NodePorts, type NodeSettings, ownUrl } from './node-settings.ts'
import { encodeBatch } from './state-machine/batch-codec.ts'

/** Of a node that needs nobody else: whoever knows it as a member of another cluster dials it within this time. */
const LISTEN_FIRST_MS = 5_000

/** How long clients of another cluster's node get to leave on their own. */
const FOREIGN_DRAIN_MS = 1_000

/** What the parts of a node may ask of its life, and tell it. */
export interface NodeLife {
  /** It ends, and takes no clients any more. */
  readonly ending: () => boolean
  /** From here on clients are told to go. */
  sendingClientsAway(): void
  /** The cluster that does not know this node's empty directory, if one said so. */
  readonly strangerTo: () => string | null
  stranger(clusterId: string): void
  /** This node is no member any more. */
  removed(): void
  /** The state is wrong, the log is not (rule K5). */
  discardState(cause: Error): void
  /** Nothing of this node may go on. */
  fail(error: Error): void
}

export interface NodeHost {
  readonly settings: NodeSettings
  readonly ports: NodePorts
  readonly logger: Logger
  readonly failpoints: Failpoints
  readonly data: NodeData
  readonly life: NodeLife
}

/** The parts of one node, and which of them hears of what. When they begin and end is `ParleyNode`'s. */
export class NodeWiring {
  readonly #host: NodeHost
  readonly logClock: LogClock
  readonly waiters: AppliedWaiters
  readonly backup: BackupRoutesHost
  readonly catchUp: CatchUp
  readonly forwarder: Forwarder
  readonly filters: FilterChain
  readonly backend: NodeBackend
  readonly gateway: Gateway
  readonly cluster: ClusterNode
  readonly calls: ClusterCalls
  readonly audit: StateAudit
  readonly signals: SignalRouter
  readonly push: NodePush
  readonly retention: NodeRetention
  readonly scrub: DataScrub
  readonly leaders: LeaderWatch
  readonly #startedMs: number
  readonly #self: SelfSources
  readonly levels: FeatureLevels
  readonly diskGuard: DiskGuard
  readonly standings: PeerStandings
  readonly drain: NodeDrain
  readonly foreign: ForeignDirectory

  constructor(host: NodeHost) {
    const { settings, ports, logger, failpoints, data } = host
    this.#host = host
    this.#self = selfSources(host)
    this.#startedMs = ports.clock.monotonicMs()
    this.leaders = new LeaderWatch(ports.clock)
    this.logClock = new LogClock(ports.clock)
    this.waiters = new AppliedWaiters(ports.clock, data.stateMachine.appliedIndex)
    this.catchUp = new CatchUp(ports.clock, this.waiters, {
      onDone: () => {
        logger.info('node.ready')
        this.standings.tell()
      },
      onFatal: (error) => this.#host.life.fail(error),
    })
    this.diskGuard = nodeDiskGuard(host, this, () => this.#draining)
    this.forwarder = this.#newForwarder(failpoints)
    this.levels = nodeLevels(host, this)
    this.cluster = this.#newCluster(failpoints)
    this.standings = new PeerStandings(this.cluster.transport, () => ({
      draining: this.#draining,
      ready: this.catchUp.done,
    }))
    this.drain = this.#newDrain()
    this.foreign = this.#newForeign()
    const metrics = new MetricsRegistry()
    this.calls = this.#newCalls(metrics)
    this.filters = newFilters(settings, { clock: ports.clock, logger, metrics }, (write, done) =>
      this.forwarder.submit(write, done),
    )
    this.backend = this.#newBackend()
    defineNodeMetrics(metrics, {
      settings,
      ports,
      data,
      diskGuard: this.diskGuard,
      levels: this.levels,
      drain: this.drain,
      cluster: () => this.cluster,
      failing: () => this.#failing(),
      pendingWrites: () => this.forwarder.pending,
    })
    this.backup = nodeBackups(host, metrics)
    this.gateway = this.#newGateway(metrics, failpoints)
    this.audit = this.#newAudit()
    this.signals = newSignalRouter({
      clock: ports.clock,
      log: data.log,
      cluster: this.cluster,
      metrics,
      deliver: (signal) => this.gateway.onSignal(signal),
    })
    this.push = this.#newPush(metrics)
    data.stateMachine.listen(countedApply(metrics, applyListener(this, host)))
    this.retention = this.#newRetention()
    this.scrub = this.#newScrub()
    defineWorkMetrics(metrics, {
      retention: this.retention.leading,
      scrub: this.scrub,
      audit: this.audit,
      forwarder: this.forwarder,
    })
  }

  /** All of it, within this turn of the event loop. */
  reconfigure(live: LiveSettings): void {
    const { settings, ports, logger } = this.#host
    this.filters.use(filtersOf({ dev: settings.dev, ...live }, { clock: ports.clock, logger }))
    this.gateway.reconfigure({
      options: live.gateway ?? {},
      origins: live.origins ?? {},
      authenticator: this.#authenticator(live),
      isTrustedProxy: live.isTrustedProxy ?? (() => false),
    })
  }

  /** Clients and operators who wait are told to go, and nothing here begins by itself any more. */
  stop(): void {
    this.levels.close()
    this.drain.close()
    this.foreign.close()
    this.catchUp.close()
    this.scrub.close()
    this.diskGuard.close()
    this.retention.close()
    this.push.close()
    this.signals.close()
    this.calls.close()
    this.gateway.close()
  }

  view(): ClusterView {
    return clusterView({
      name: this.#host.settings.name,
      version: this.#host.settings.version,
      log: this.#host.data.log,
      cluster: this.cluster,
      initialMembers: this.#host.settings.initialMembers,
      leader: () => this.backend.leader(),
      readiness: () => this.backend.readiness(),
      state: this.#host.data.stateMachine.reader,
      ports: this.#host.ports,
      startedMs: this.#startedMs,
      leaders: this.leaders,
      sessions: () => this.gateway.sessionCount,
      disk: () => this.diskGuard.space,
      upgrade: () => this.levels.view(),
    })
  }

  get #draining(): boolean {
    return this.#host.life.ending() || this.drain.phase !== 'serving'
  }

  #newCalls(metrics: MetricsRegistry): ClusterCalls {
    const { settings, ports, logger, data } = this.#host
    return newClusterCalls({
      ...ports,
      logger,
      log: data.log,
      cluster: this.cluster,
      drain: this.drain,
      reloads: settings.reloads ?? null,
      levels: this.levels,
      standings: this.standings,
      self: this.#self,
      state: data.stateMachine.reader,
      serving: () => this.catchUp.done,
      view: () => this.view(),
      metrics: () => metrics.text(),
    })
  }

  #newBackend(): NodeBackend {
    const { settings, data } = this.#host
    return new NodeBackend({
      self: { id: settings.name, url: ownUrl(settings) },
      log: data.log,
      state: data.stateMachine.reader,
      waiters: this.waiters,
      filters: this.filters,
      cluster: () => this.cluster,
      signals: () => this.signals,
      fitness: (id) => this.standings.fitness(id),
      failing: () => this.#failing(),
      serving: () => this.catchUp.done && !this.gateway.isDraining,
    })
  }

  #newDrain(): NodeDrain {
    const { ports, logger } = this.#host
    return new NodeDrain({
      clock: ports.clock,
      logger,
      ending: () => this.#host.life.ending(),
      replica: () => this.cluster.replica,
      fitness: (id) => this.standings.fitness(id),
      sendClientsAway: (timeoutMs) => this.gateway.drain(timeoutMs),
      takeClients: () => this.#takeClients(),
      onPhase: (phase) => {
        this.standings.tell()
        if (phase === 'clients') this.#host.life.sendingClientsAway()
      },
      // Until now nobody was told whose sessions ended here.
      onSettled: () => this.push.leaderUp(),
      counts: () => ({ clients: this.gateway.connections, writes: this.forwarder.pending }),
    })
  }

  /** Again, unless something else stands against it. */
  #takeClients(): void {
    if (this.foreign.reason === null && !this.#draining) this.gateway.undrain()
  }

  #newForeign(): ForeignDirectory {
    const { ports, logger, settings, data } = this.#host
    return new ForeignDirectory({
      ...{ clock: ports.clock, logger, name: settings.name },
      initialMembers: settings.initialMembers,
      clusterId: () => data.log.formation?.clusterId ?? null,
      callers: () => this.cluster.transport.foreignCallers(),
      onChange: (isForeign) => {
        if (isForeign) void this.gateway.drain(FOREIGN_DRAIN_MS)
        else this.#takeClients()
      },
    })
  }

  #newCluster(failpoints: Failpoints): ClusterNode {
    const { clock, random, network } = this.#host.ports
    const { name, peerListen, initialMembers, dev, replica } = this.#host.settings
    const segmentBytes = this.#host.settings.log?.segmentBytes
    const { log, stateMachine } = this.#host.data
    return new ClusterNode({
      name,
      peerListen,
      initialMembers,
      autoReplace: dev,
      joins: this.#host.settings.join === true,
      aloneAfterMs: dev ? 0 : LISTEN_FIRST_MS,
      options: {
        ...DEFAULT_REPLICA_OPTIONS,
        // Whole segments are forgotten, so a bound of few of them would bind nothing.
        ...(segmentBytes === undefined ? {} : { trailingLogBytes: 4 * segmentBytes }),
        ...replica,
      },
      features: () => this.levels.own,
      hasSnapshotRoom: () => this.diskGuard.takesSnapshots,
      clock,
      random,
      network,
      logger: this.#host.logger,
      log,
      stateMachine,
      failpoints,
      events: {
        onReplica: (started) => this.catchUp.begin(started),
        onLeader: (leader, term) => this.#leaderChanged(leader, term),
        onAuthority: () => {
          this.logClock.anchor(stateMachine.logTime)
          this.levels.authority()
          this.forwarder.authority()
        },
        encodeBatch: (commands) =>
          encodeBatch({ logTime: this.logClock.nowMs(), wallTime: clock.wallMs() }, commands),
        onApplied: (index) => this.waiters.advance(index),
        onSnapshotInstalled: () => this.gateway.resync(),
        readFrame: (from, kind, body) => readNodeFrame(this, { from, kind, body }),
        onPeerUp: (id) => {
          if (id === this.cluster.replica?.leader) {
            this.forwarder.handAgain()
            this.push.leaderUp()
          }
          this.signals.peerUp(id)
          this.diskGuard.peerUp(id)
          this.standings.peerUp(id)
        },
        onForeignCaller: () => this.foreign.look(),
        onRemoved: () => this.#host.life.removed(),
        onStranger: (clusterId) => this.#host.life.stranger(clusterId),
        onFatal: (error) => this.#host.life.fail(error),
      },
    })
  }

  #newGateway(metrics: MetricsRegistry, failpoints: Failpoints): Gateway {
    const { clock, random } = this.#host.ports
    const http = nodeHttp({
      readiness: () => this.backend.readiness(),
      clusterView: () => this.view(),
      metrics,
      calls: this.calls,
      ...{ log: this.#host.data.log, self: this.#self },
      logTimeMs: () => this.retention.logTimeMs,
      backup: this.backup,
      audit: nodeAudit(this.#host, metrics, this.cluster.metrics),
      push: this.#host.settings.push ?? null,
      version: this.#host.settings.version,
      logger: this.#host.logger,
      isSplit: this.#host.settings.adminListen !== undefined,
    })
    return new Gateway({
      backend: this.backend,
      clock,
      random,
      logger: this.#host.logger,
      failpoints,
      metrics,
      options: { dev: this.#host.settings.dev, ...this.#host.settings.gateway },
      // Whom a draining node sends away is on his way to another one, and not absent.
      onSession: (user, device) => this.#draining || this.push.sessionChanged(user, device),
      onRequest: (request, context) => http.clients.handle(request, context),
      onOperatorRequest: (request, context) => http.operators.handle(request, context),
      authenticator: this.#authenticator(this.#host.settings),
      origins: this.#host.settings.origins ?? {},
      isTrustedProxy: this.#host.settings.isTrustedProxy ?? (() => false),
    })
  }

  #authenticator({ tokens }: LiveSettings): Authenticator {
    const { settings, ports, logger, data } = this.#host
    const who = { dev: settings.dev, ...(tokens === undefined ? {} : { tokens }) }
    return newAuthenticator(who, ports.clock, logger, data.stateMachine.reader)
  }

  #newRetention(): NodeRetention {
    return new NodeRetention({
      clock: this.#host.ports.clock,
      logger: this.#host.logger,
      state: this.#host.data.stateMachine.reader,
      leads: () => this.cluster.replica?.hasAuthority ?? false,
      now: () => this.logClock.nowMs(),
      needsEntry: (logTime) => this.#host.data.stateMachine.erasureNeedsEntry(logTime),
      savesSpace: () => this.#host.data.stateMachine.savesSpace,
      submit: (submission, done) => this.forwarder.submit(submission, done),
    })
  }

  #newPush(metrics: MetricsRegistry): NodePush {
    return new NodePush({
      ...this.#host.ports,
      ...{ logger: this.#host.logger, data: this.#host.data },
      ...{ cluster: this.cluster, metrics },
      settings: this.#host.settings.push ?? null,
      gateway: () => this.gateway,
      submit: (submission, done) => this.forwarder.submit(submission, done),
    })
  }

  #newAudit(): StateAudit {
    const { log, stateMachine } = this.#host.data
    return new StateAudit({
      logger: this.#host.logger,
      self: log.raftId,
      everyEntries: this.#host.settings.auditEveryEntries ?? AUDIT_EVERY_ENTRIES,
      voters: () => this.cluster.replica?.configuration.voters.map(({ id }) => id) ?? [],
      stateHash: () => stateMachine.reader.stateHash,
      report: (point) => {
        for (const { raftId } of this.cluster.transport.peersUp()) {
          this.cluster.transport.sendJson(raftId, PeerFrameKind.stateHash, point)
        }
      },
      onDiverged: ({ index }) =>
        this.#host.life.discardState(
          new Error(`the state at index ${index} differs from what a majority holds`),
        ),
    })
  }

  #newScrub(): DataScrub {
    const { settings, ports, logger, data, life } = this.#host
    const options = { ...DEFAULT_SCRUB_OPTIONS, ...settings.scrub }
    return new DataScrub(options, {
      clock: ports.clock,
      logger,
      log: data.log,
      store: () => data.stores.store,
      logDamaged: (error) => life.fail(error),
      storeDamaged: (error) => life.discardState(error),
    })
  }

  #newForwarder(failpoints: Failpoints): Forwarder {
    const { clock, random } = this.#host.ports
    return new Forwarder({
      ...{ clock, random, failpoints, logger: this.#host.logger },
      raftId: this.#host.data.log.raftId,
      limits: {
        bodyBytes:
          this.#host.settings.gateway?.maxBodyBytes ?? DEFAULT_GATEWAY_OPTIONS.maxBodyBytes,
        metaBytes: LIMITS.metaBytes,
      },
      level: () => this.#host.data.stateMachine.reader.level,
      replica: () => this.cluster.replica,
      send: (to, frame) => this.cluster.transport.send(to, frame),
      sendJson: (to, kind, value) => this.cluster.transport.sendJson(to, kind, value),
      isUp: (id) => this.cluster.transport.isUp(id),
      admits: (command) => this.diskGuard.admits(command),
      leaderRef: () => this.backend.leader(),
    })
  }

  #leaderChanged(leader: RaftId, term: number): void {
    this.leaders.changed(leader)
    this.#host.logger.info('raft.leader', { leader: this.backend.leader()?.id ?? null, term })
    this.forwarder.leaderLost()
    if (leader !== NO_ONE && leader !== this.#host.data.log.raftId) this.forwarder.handAgain()
    this.gateway.leaderChanged()
    this.push.leaderUp()
    this.diskGuard.leaderChanged()
  }

  #failing(): string[] {
    return failingChecks({
      name: this.#host.settings.name,
      cluster: this.cluster,
      leaderForMs: this.leaders.forMs,
      draining: this.#draining,
      foreign: this.foreign.reason,
      joins: this.#host.settings.join === true,
      strangerTo: this.#host.life.strangerTo(),
      caughtUp: this.catchUp.done,
      fallsBehind: this.diskGuard.fallsBehind,
    })
  }
}
