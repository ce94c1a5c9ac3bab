import { ClusterMetrics } from './cluster-metrics.ts'
import type { Failpoints } from './failpoints.ts'
import type { LogStorage } from './log/log-storage.ts'
import type { Logger } from './logger.ts'
import { ClusterFormation, type InitialMember } from './membership/formation.ts'
import type { MemberChange, MemberChangeRefusal } from './membership/member-change.ts'
import { wasRemovedBy } from './membership/removal.ts'
import { Replacer } from './membership/replacer.ts'
import type { Address, Clock, Network, Random, Timer } from './ports.ts'
import { allMembers, type Configuration, findMember } from './raft/configuration.ts'
import { NO_ONE, type RaftId, Role } from './raft/types.ts'
import { Replica } from './replica.ts'
import type { ReplicaEvents } from './replica-events.ts'
import type { ReplicaOptions } from './replica-options.ts'
import { decodeAck, decodeChunk, decodeOffer } from './snapshot/snapshot-frames.ts'
import { SnapshotReceiver } from './snapshot/snapshot-receiver.ts'
import { SnapshotSender } from './snapshot/snapshot-sender.ts'
import type { StateMachine } from './state-machine.ts'
import { AppendFrames } from './transport/append-frames.ts'
import type { FrameHandler } from './transport/frame-intake.ts'
import { decodeMessage, type PeerMessage } from './transport/message-codec.ts'
import { PeerFrameKind } from './transport/peer-frame.ts'
import { encodePeerFrame } from './transport/peer-frame-writer.ts'
import { type Features, PEER_PROTOCOL, type PeerHello } from './transport/peer-hello.ts'
import { PeerTransport } from './transport/peer-transport.ts'

/** What a node is told of its share of the cluster. Only `readFrame` may throw. */
export interface ClusterNodeEvents extends Pick<
  ReplicaEvents,
  'onLeader' | 'onAuthority' | 'encodeBatch' | 'onApplied' | 'onSnapshotInstalled' | 'onFatal'
> {
  /** There is a replica now: the cluster is formed, or was before. Called once, before its other events. */
  onReplica(replica: Replica): void
  /**
   * Decodes a frame of a peer of this cluster that this package does not know: the host's own traffic
   * between nodes. What it returns does what the frame asks for. Frames of one peer come in the order
   * it sent them, or not at all.
   *
   * @throws PeerProtocolError if it is malformed, which ends the connection
   */
  readFrame(from: RaftId, kind: number, body: Uint8Array): FrameHandler
  /** Frames reach this peer from now on; what was sent to it before may be lost. */
  onPeerUp(id: RaftId): void
  /** A cluster exists that this node's empty directory is no part of (rule K1). May come again. */
  onStranger(clusterId: string): void
  /** A node of another cluster takes this one for a member of its own. Comes again and again. */
  onForeignCaller(): void
  /** This node was removed from its cluster: nobody counts on it any more (rule K1). May come again. */
  onRemoved(): void
}

/** What a share of a cluster is made of. Whoever opened `log` and `stateMachine` closes them. */
export interface ClusterNodeParts {
  readonly name: string
  /** `host:port` where peers reach this node. */
  readonly peerListen: Address
  readonly initialMembers: readonly InitialMember[]
  /** Take in a member whose directory was emptied without being told to (rule K1). */
  readonly autoReplace: boolean
  /** An empty directory founds no cluster: it waits to be taken in. */
  readonly joins: boolean
  /**
   * How long a node listens that would found a cluster alone, or lead one by its own vote where it was told of other
   * members, in ms: peers of the cluster that it was part of dial it every second and say so (rule K1).
   */
  readonly aloneAfterMs: number
  readonly options: ReplicaOptions
  /** What this node says of itself to its peers, which refuse it if it cannot do what they do. */
  readonly features: () => Features
  /** Whether the disk has room for a peer's whole state beside the live one. @default always */
  readonly hasSnapshotRoom?: () => boolean
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly logger: Logger
  readonly log: LogStorage
  readonly stateMachine: StateMachine
  readonly failpoints: Failpoints
  readonly events: ClusterNodeEvents
}

const LOOK_MS = 1_000
/** Beyond the members that are known, nobody has more. */
const MAX_CALLERS = 32
const SNAPSHOT_REQUEST = encodePeerFrame(PeerFrameKind.snapshotRequest, new Uint8Array(0))
const NOTHING_TO_DO: FrameHandler = () => {}
const FORMATION_FRAMES: ReadonlySet<number> = new Set([
  PeerFrameKind.form,
  PeerFrameKind.formed,
  PeerFrameKind.stranger,
  PeerFrameKind.join,
])

/** One node's share of a cluster: its links, its formation, its replica and snapshot streams. */
export class ClusterNode {
  readonly metrics = new ClusterMetrics()
  readonly transport: PeerTransport
  readonly #parts: ClusterNodeParts
  readonly #formation: ClusterFormation
  readonly #replacer: Replacer
  readonly #sender: SnapshotSender
  readonly #receiver: SnapshotReceiver
  #replica: Replica | null = null
  /** A committed configuration had this node. */
  #wasMember = false
  #timer: Timer | null = null
  #formationTimer: Timer | null = null

  constructor(parts: ClusterNodeParts) {
    this.#parts = parts
    const { log, logger, network, clock, random, events, failpoints } = parts
    this.transport = new PeerTransport({
      ports: { network, clock, random },
      logger,
      failpoints,
      local: () => this.#hello(),
      memberName: (id) => this.#memberName(id),
      metrics: this.metrics,
      events: {
        onPeerUp: (peer) => this.#peerUp(peer),
        onPeerDown: (peer) => this.#peerDown(peer),
        onCaller: () => this.#connect(),
        onForeignCaller: () => events.onForeignCaller(),
        onRemoved: (index) => this.#removed(index),
        readFrame: (from, kind, body) => this.#readFrame(from, kind, body),
        onFatal: (error) => events.onFatal(error),
      },
    })
    const sendJson = this.transport.sendJson.bind(this.transport)
    this.#formation = new ClusterFormation({
      log,
      name: parts.name,
      initialMembers: parts.initialMembers,
      random,
      logger,
      failpoints,
      peers: () => this.transport.peersUp(),
      sendJson,
      onFormed: () => this.#formed(),
      onComplete: () => this.#replica!.start(),
      onStranger: (clusterId) => events.onStranger(clusterId),
      onFatal: (error) => events.onFatal(error),
    })
    this.#replacer = new Replacer({
      ...{ clock, logger, log },
      autoReplace: parts.autoReplace,
      replica: () => this.#replica,
      strangers: () => this.strangers(),
      snapshotBytesTo: (id) => this.#sender.takenBytes(id) ?? 0,
      sendJson,
      onWanted: () => this.#connect(),
    })
    this.#sender = new SnapshotSender({
      clock,
      random,
      logger,
      failpoints,
      metrics: this.metrics,
      chunkBytes: parts.options.snapshotChunkBytes,
      leadingTerm: () => this.#leadingTerm(),
      openSnapshot: () => parts.stateMachine.openSnapshot(),
      send: this.transport.send.bind(this.transport),
      sendJson,
      onFinished: (to, ok, index) => this.#replica?.snapshotSent(to, ok, index),
    })
    this.#receiver = new SnapshotReceiver({
      logger,
      failpoints,
      metrics: this.metrics,
      hasRoom: () => (this.#replica?.takesSnapshots ?? true) && (parts.hasSnapshotRoom?.() ?? true),
      worthTaking: ({ meta }) => meta.index > parts.stateMachine.appliedIndex,
      beginInstall: (meta) => parts.stateMachine.beginInstall(meta),
      sendJson,
      onReceived: (from, offer, sink) => this.#replica?.snapshotReceived(from, offer, sink),
      onFatal: (error) => events.onFatal(error),
    })
  }

  /** `null` while the cluster is forming. */
  get replica(): Replica | null {
    return this.#replica
  }

  /** Snapshots on their way to peers, those beginning included. */
  get snapshotsSending(): number {
    return this.#sender.active
  }

  /** Begins what an operator asks of the members; see `Replacer.ask`. */
  changeMembers(change: MemberChange): MemberChangeRefusal | null {
    return this.#replacer.ask(change)
  }

  /** Names that wait for a node with an empty directory to answer. */
  get askedMembers(): readonly string[] {
    return this.#replacer.asked
  }

  /** How long a learner has taken in nothing new, as its leader sees it. */
  learnerStuckMs(id: RaftId): number {
    return this.#replacer.stuckMs(id)
  }

  get longestStuckLearnerMs(): number {
    return this.#replacer.longestStuckMs
  }

  /** Acknowledged of the snapshot on its way to a peer; `null` if there is none. */
  snapshotBytesTo(id: RaftId): number | null {
    return this.#sender.takenBytes(id)
  }

  /** Empty directories that answer at members' addresses. */
  strangers(): PeerHello[] {
    return this.transport.peersUp().filter(({ clusterId }) => clusterId === '')
  }

  /** Resolves when peers can connect. Rejects if the address is taken: `close` is still due. */
  async start(): Promise<void> {
    await this.transport.listen(this.#parts.peerListen)
    if (this.#parts.log.formation !== null) this.#createReplica()
    this.#connect()
    this.#startFormation()
    this.#replacer.start()
    this.#look()
  }

  #startFormation(): void {
    const { aloneAfterMs, clock, initialMembers, joins, log } = this.#parts
    // What a leader sends takes it in; nothing else begins.
    if (joins && log.formation === null) return
    const isAlone =
      log.formation === null
        ? initialMembers.length === 1
        : initialMembers.length > 1 && this.#votesAlone
    if (!isAlone || aloneAfterMs === 0) this.#formation.start()
    else this.#formationTimer = clock.after(aloneAfterMs, () => this.#formation.start())
  }

  get #votesAlone(): boolean {
    const [only, ...others] = this.#replica?.configuration.voters ?? []
    return only?.id === this.#parts.log.raftId && others.length === 0
  }

  /** Stops the replica and ends every connection. Log and state machine stay open. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#formationTimer?.cancel()
    this.#replacer.close()
    this.#replica?.stop()
    this.#sender.close()
    await this.transport.close()
    await this.#receiver.close()
  }

  #look(): void {
    this.#connect()
    this.#askForState()
    this.#lookForRemoved()
    this.#timer = this.#parts.clock.after(LOOK_MS, () => this.#look())
  }

  /** Who is removed hears no more of the log: whoever knows says so, since it may go on dialling. */
  #lookForRemoved(): void {
    const committed = this.#replica?.committedConfiguration
    if (committed === undefined || committed.index === 0) return
    const { index, configuration } = committed
    const mine = this.#formation.formation?.clusterId
    this.transport.tellRemoved(index, ({ clusterId, raftId }) => {
      return clusterId === mine && findMember(configuration, raftId) === undefined
    })
    const isMember = findMember(configuration, this.#parts.log.raftId) !== undefined
    if (this.#wasMember && !isMember) this.#parts.events.onRemoved()
    this.#wasMember ||= isMember
  }

  #removed(index: number): void {
    const committed = this.#replica?.committedConfiguration
    if (committed === undefined) return
    if (wasRemovedBy(index, this.#parts.log.raftId, committed)) this.#parts.events.onRemoved()
  }

  /** A replica that lost its state asks whoever leads until a snapshot is in (rule K3). */
  #askForState(): void {
    const replica = this.#replica
    if (replica?.stateLost === true && replica.leader !== NO_ONE) {
      this.transport.send(replica.leader, SNAPSHOT_REQUEST)
    }
  }

  /** A new leader may need the peer it brings up to commit its first entry: authority comes later. */
  #leadingTerm(): number | null {
    const status = this.#replica?.status()
    return status?.role === Role.leader ? status.term : null
  }

  #hello(): PeerHello {
    const { log, name } = this.#parts
    const { formation } = this.#formation
    return {
      protocol: PEER_PROTOCOL,
      clusterId: formation?.clusterId ?? '',
      epoch: formation?.epoch ?? '',
      raftId: log.raftId,
      name,
      address: this.#parts.initialMembers.find((member) => member.name === name)?.peerAddress,
      features: this.#parts.features(),
    }
  }

  /** An id is never given to another node, so what was once committed stays true (rule K1). */
  #memberName(id: RaftId): string | null {
    const replica = this.#replica
    if (replica === null) return null
    const known = [replica.configuration, replica.committedConfiguration.configuration]
    for (const configuration of known) {
      const member = findMember(configuration, id)
      if (member !== undefined) return member.name
    }
    return null
  }

  #formed(): void {
    this.#createReplica()
    this.transport.reintroduce()
  }

  #createReplica(): void {
    const { options, clock, random, log, logger, stateMachine, events, failpoints } = this.#parts
    const replica = new Replica({
      options,
      clock,
      random,
      log,
      logger,
      stateMachine,
      failpoints,
      metrics: this.metrics,
      events: {
        send: (messages) => this.#send(messages),
        sendSnapshot: (to) => this.#sender.start(to),
        pinnedSnapshot: () => this.#sender.pinnedIndex,
        onLeader: (leader, term) => {
          if (term > 0) this.#formation.elected()
          events.onLeader(leader, term)
        },
        onAuthority: (term) => events.onAuthority(term),
        encodeBatch: (commands) => events.encodeBatch(commands),
        onApplied: (index) => events.onApplied(index),
        onSnapshotInstalled: (index) => events.onSnapshotInstalled(index),
        onConfiguration: () => this.#connect(),
        onFatal: (error) => events.onFatal(error),
      },
    })
    this.#replica = replica
    // A founder, or a member as far as it knows: if it is none later, it was removed.
    const { configuration } = log.formation!
    const known = [configuration, replica.committedConfiguration.configuration]
    this.#wasMember = known.some((members) => findMember(members, log.raftId) !== undefined)
    events.onReplica(replica)
    this.#connect()
    for (const peer of this.transport.peersUp()) replica.peerUp(peer.raftId)
  }

  /**
   * Links follow the newest configuration; before there is one, the initial members. Whoever else of
   * this cluster dials this node is dialled too: its log may lack the entry that took a member in, and
   * that member may be its leader, who must be answered (thesis §4.1).
   */
  #connect(): void {
    const configuration: Configuration | undefined = this.#replica?.configuration
    const members =
      configuration === undefined ? this.#parts.initialMembers : allMembers(configuration)
    const peers = new Map<string, Address>()
    for (const { name, address } of this.#callers()) peers.set(name, address)
    for (const member of this.#replacer.wanted) peers.set(member.name, member.peerAddress)
    for (const member of members) peers.set(member.name, member.peerAddress)
    peers.delete(this.#parts.name)
    this.transport.setPeers([...peers].map(([name, address]) => ({ name, address })))
  }

  #callers(): { readonly name: string; readonly address: Address }[] {
    const mine = this.#formation.formation?.clusterId
    return this.transport
      .callers()
      .filter(({ clusterId }) => clusterId === mine)
      .flatMap(({ name, address }) => (address === undefined ? [] : [{ name, address }]))
      .slice(0, MAX_CALLERS)
  }

  #send(messages: readonly PeerMessage[]): void {
    const frames = new AppendFrames(this.#parts.options.groupId)
    for (const message of messages) this.transport.send(message.to, frames.frameOf(message))
  }

  #peerUp(peer: PeerHello): void {
    this.#formation.peerUp(peer)
    this.#replica?.peerUp(peer.raftId)
    this.#parts.events.onPeerUp(peer.raftId)
  }

  #peerDown(peer: PeerHello): void {
    this.#replica?.peerDown(peer.raftId)
  }

  #readFrame(from: PeerHello, kind: number, body: Uint8Array): FrameHandler {
    if (FORMATION_FRAMES.has(kind)) return this.#formation.readFrame(from, kind, body)
    const mine = this.#formation.formation?.clusterId ?? ''
    const sameCluster = mine !== '' && from.clusterId === mine
    return sameCluster ? this.#readClusterFrame(from.raftId, kind, body) : NOTHING_TO_DO
  }

  #readClusterFrame(from: RaftId, kind: number, body: Uint8Array): FrameHandler {
    switch (kind) {
      case PeerFrameKind.raft: {
        const self = this.#parts.log.raftId
        const { message, groupId } = decodeMessage(body, self)
        const isOurs = groupId === this.#parts.options.groupId
        if (!isOurs || message.from !== from || message.to !== self) return NOTHING_TO_DO
        return () => this.#replica?.receive(message)
      }
      case PeerFrameKind.snapshotRequest:
        return () => {
          if (this.#replica?.hasAuthority === true) this.#sender.start(from)
        }
      case PeerFrameKind.snapshotOffer: {
        const offer = decodeOffer(body)
        return () => this.#receiver.offered(from, offer)
      }
      case PeerFrameKind.snapshotChunk: {
        const chunk = decodeChunk(body)
        return () => this.#receiver.chunk(chunk)
      }
      case PeerFrameKind.snapshotAck: {
        const ack = decodeAck(body)
        return () => this.#sender.acknowledged(from, ack)
      }
      default:
        return this.#parts.events.readFrame(from, kind, body)
    }
  }
}
