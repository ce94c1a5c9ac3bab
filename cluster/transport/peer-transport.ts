import { ClusterMetrics } from '../cluster-metrics.ts'
import { type Failpoints, NO_FAILPOINTS } from '../failpoints.ts'
import type { Address, Clock, Connection, Listener, Network, Random, Timer } from '../ports.ts'
import type { Logger } from '../logger.ts'
import type { RaftId } from '../raft/types.ts'
import { type ForeignCaller, ForeignCallers } from './foreign-callers.ts'
import { FrameIntake, type FrameHandler } from './frame-intake.ts'
import { MAX_FRAME_BYTES, MAX_HELLO_BYTES, PeerFrameKind, PeerProtocolError } from './peer-frame.ts'
import { encodeJsonFrame, encodePeerFrame } from './peer-frame-writer.ts'
import { decodeHello, objection, type PeerHello } from './peer-hello.ts'
import { LINK, MALFORMED_ADVICE, PeerLink } from './peer-link.ts'

export interface PeerAddress {
  readonly name: string
  readonly address: Address
}

/** None of these may throw but `readFrame`, and that only `PeerProtocolError`. */
export interface TransportEvents {
  onPeerUp(peer: PeerHello): void
  /** Called at once when a connection with the peer dies, in either direction (rule K7). */
  onPeerDown(peer: PeerHello): void
  /** Somebody dialled this node and was let in: he stands among the `callers` now. */
  onCaller(): void
  /** One of another cluster did, and was refused: he stands among the `foreignCallers` now. */
  onForeignCaller(): void
  /** By a peer's word this node was removed by that index of the log (rule K1). */
  onRemoved(index: number): void
  /**
   * Decodes a frame and does nothing else; what it returns is called before the next one is read.
   * Frames of one peer arrive in the order it sent them, or not at all.
   *
   * @throws PeerProtocolError if the frame is malformed: the connection ends
   */
  readFrame(from: PeerHello, kind: number, body: Uint8Array): FrameHandler
  /**
   * An invariant broke while something of a peer was taken in: the process must end. Nothing more
   * is taken in.
   */
  onFatal(error: Error): void
}

const PONG = encodePeerFrame(PeerFrameKind.pong, new Uint8Array(0))
const SILENCE_CHECK_MS = 1_000
/** A peer that is refused comes again every second: its complaint is worth one line in this time. */
const COMPLAIN_AGAIN_MS = 60_000
/** More kinds of complaints than this within the time are not told apart. */
const MAX_COMPLAINTS = 100
/** Of peers that are gone, when they were last heard: more than members, less than anybody can fill. */
const MAX_REMEMBERED = 64

interface Complaint {
  readonly message: string
  /** The name of who sent it, `null` before it said one. */
  readonly peer?: string | null
}

interface Accepted {
  readonly intake: FrameIntake
  remote: PeerHello | null
  heardMs: number
}

/**
 * Links to every peer: one connection that this node dials for what it sends, one that the peer
 * dials for what it receives. Checks protocol, cluster id, epoch and Raft id before the first frame.
 */
export class PeerTransport {
  readonly #ports: { network: Network; clock: Clock; random: Random }
  readonly #logger: Logger
  readonly #failpoints: Failpoints
  readonly #local: () => PeerHello
  readonly #memberName: (id: RaftId) => string | null
  readonly #events: TransportEvents
  readonly #metrics: ClusterMetrics
  readonly #links = new Map<string, PeerLink>()
  readonly #byId = new Map<RaftId, PeerLink>()
  readonly #accepted = new Map<Connection, Accepted>()
  /** When each complaint about who dials this node was written last, in monotonic ms. */
  readonly #complaints = new Map<string, number>()
  /** When peers without a connection were last heard, in monotonic ms, the oldest first. */
  readonly #gone = new Map<RaftId, number>()
  readonly #foreign: ForeignCallers
  #listener: Listener | null = null
  #timer: Timer | null = null
  #closed = false
  #malformed = 0

  constructor(options: {
    ports: { network: Network; clock: Clock; random: Random }
    logger: Logger
    /** @default none */
    failpoints?: Failpoints
    local: () => PeerHello
    /** Who has that id, as far as this node knows the members. @default it knows nobody */
    memberName?: (id: RaftId) => string | null
    /** @default cells that nobody reads */
    metrics?: ClusterMetrics
    events: TransportEvents
  }) {
    this.#ports = options.ports
    this.#foreign = new ForeignCallers(options.ports.clock)
    this.#logger = options.logger
    this.#failpoints = options.failpoints ?? NO_FAILPOINTS
    this.#local = options.local
    this.#memberName = options.memberName ?? (() => null)
    this.#events = options.events
    this.#metrics = options.metrics ?? new ClusterMetrics()
  }

  async listen(address: Address): Promise<void> {
    this.#listener = await this.#ports.network.listen(address, (connection) =>
      this.#accept(connection),
    )
    this.#watchSilence()
  }

  /** Dials peers that are new, drops links to those that are gone. */
  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#closed) return
    const wanted = new Map(peers.map((peer) => [peer.name, peer]))
    for (const [name, link] of this.#links) {
      if (wanted.get(name)?.address === link.address) continue
      link.close()
      this.#links.delete(name)
    }
    for (const { name, address } of peers) {
      if (this.#links.has(name)) continue
      this.#links.set(name, this.#newLink(name, address))
    }
  }

  /** The introductions of all who dialled this node and were let in, and are still connected. */
  callers(): PeerHello[] {
    return [...this.#accepted.values()].flatMap(({ remote }) => remote ?? [])
  }

  /** Nodes of other clusters that dial this one. */
  foreignCallers(): readonly ForeignCaller[] {
    return this.#foreign.list()
  }

  /** A whole frame, which must not change any more. False if there is no link now: it is dropped. */
  send(to: RaftId, frame: Uint8Array): boolean {
    return this.#byId.get(to)?.send(frame) ?? this.#drop()
  }

  /** As `send`, for what may be lost: false as well while much waits, so that Raft is not held up. */
  offer(to: RaftId, frame: Uint8Array): boolean {
    return this.#byId.get(to)?.offer(frame) ?? this.#drop()
  }

  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean {
    return this.#byId.get(to)?.send(encodeJsonFrame(kind, value)) ?? this.#drop()
  }

  /** Connections that ended because of what the other side sent, since the start. */
  get malformedFrames(): number {
    return this.#malformed
  }

  /** Peers that are reached and do not talk to this node, or it not to them. */
  refusals(): { readonly name: string; readonly message: string }[] {
    return [...this.#links.values()].flatMap(({ name, refusal }) =>
      refusal === null ? [] : { name, message: refusal },
    )
  }

  /** The introduction of a peer whose link is up. */
  helloOf(id: RaftId): PeerHello | null {
    return this.#byId.get(id)?.remote ?? null
  }

  isUp(id: RaftId): boolean {
    return this.#byId.has(id)
  }

  peersUp(): PeerHello[] {
    return [...this.#byId.values()].flatMap((link) => link.remote ?? [])
  }

  roundTripMs(id: RaftId): number | null {
    return this.#byId.get(id)?.roundTripMs ?? null
  }

  /** How long ago anything of the peer came, on either connection; `null`: never. */
  heardAgoMs(id: RaftId): number | null {
    const heard = [...this.#accepted.values()].filter(({ remote }) => remote?.raftId === id)
    const last = Math.max(
      this.#gone.get(id) ?? -1,
      this.#byId.get(id)?.heardMs ?? -1,
      ...heard.map(({ heardMs }) => heardMs),
    )
    return last === -1 ? null : this.#ports.clock.monotonicMs() - last
  }

  /**
   * Tells those who still dial this node and are no members any more. They are answered all the same:
   * a member that this node does not know yet may need its vote.
   */
  tellRemoved(index: number, isRemoved: (peer: PeerHello) => boolean): void {
    for (const [connection, { remote }] of this.#accepted) {
      if (remote === null || !isRemoved(remote)) continue
      connection.write(encodeJsonFrame(PeerFrameKind.removed, { index }))
    }
  }

  /** This node's introduction changed (it joined a cluster): every peer hears it anew. */
  reintroduce(): void {
    for (const link of this.#links.values()) link.restart()
    for (const connection of this.#accepted.keys()) connection.destroy()
  }

  async close(): Promise<void> {
    this.#end()
    await this.#listener?.close()
  }

  #remember(id: RaftId, heardMs: number): void {
    const last = Math.max(heardMs, this.#gone.get(id) ?? 0)
    this.#gone.delete(id)
    this.#gone.set(id, last)
    if (this.#gone.size <= MAX_REMEMBERED) return
    for (const oldest of this.#gone.keys()) {
      this.#gone.delete(oldest)
      break
    }
  }

  #drop(): false {
    this.#metrics.peerFramesDropped.add()
    return false
  }

  #newLink(name: string, address: Address): PeerLink {
    return new PeerLink({
      name,
      address,
      ports: this.#ports,
      logger: this.#logger,
      failpoints: this.#failpoints,
      local: this.#local,
      memberName: this.#memberName,
      metrics: this.#metrics,
      events: {
        onUp: (link, hello) => {
          this.#byId.set(hello.raftId, link)
          this.#events.onPeerUp(hello)
        },
        onDown: (link) => {
          for (const [id, other] of this.#byId) {
            if (other !== link) continue
            this.#byId.delete(id)
            this.#remember(id, link.heardMs)
            this.#events.onPeerDown({ ...this.#local(), name, raftId: id })
          }
        },
        onRemoved: (index) => this.#events.onRemoved(index),
        onMalformed: () => (this.#malformed += 1),
        onFatal: (error) => this.#fail(error),
      },
    })
  }

  #accept(connection: Connection): void {
    const state: Accepted = {
      intake: new FrameIntake({
        maxBytes: () => (state.remote === null ? MAX_HELLO_BYTES : MAX_FRAME_BYTES),
        read: (kind, body) => this.#read(connection, state, kind, body),
        onMalformed: (error) => {
          this.#malformed += 1
          const peer = state.remote?.name ?? null
          const message = `${error.message}; ${MALFORMED_ADVICE}`
          this.#complain('peer.protocol', connection, { peer, message })
          connection.destroy()
        },
        onFatal: (error) => this.#fail(error),
      }),
      remote: null,
      heardMs: this.#ports.clock.monotonicMs(),
    }
    this.#accepted.set(connection, state)
    connection.onData = (bytes) => {
      if (!this.#accepted.has(connection) || this.#closed) return
      // Who does not say who it is in time is ended, however much it sends.
      if (state.remote !== null) state.heardMs = this.#ports.clock.monotonicMs()
      this.#metrics.peerBytes.received.add(bytes.length)
      state.intake.push(bytes)
    }
    connection.onClose = () => {
      this.#accepted.delete(connection)
      if (state.remote === null) return
      this.#remember(state.remote.raftId, state.heardMs)
      if (!this.#closed) this.#events.onPeerDown(state.remote)
    }
  }

  #read(connection: Connection, state: Accepted, kind: number, body: Uint8Array): FrameHandler {
    const { remote } = state
    if (remote === null) {
      if (kind !== PeerFrameKind.hello) {
        throw new PeerProtocolError('a connection began with something else than a hello')
      }
      const hello = decodeHello(body)
      return () => this.#introduce(connection, state, hello)
    }
    if (kind === PeerFrameKind.ping) return () => connection.write(PONG)
    this.#metrics.peerFrames.received.add()
    this.#failpoints.hit('transport.frameReceived')
    return this.#events.readFrame(remote, kind, body)
  }

  #introduce(connection: Connection, state: Accepted, remote: PeerHello): void {
    const against = objection(this.#local(), remote, connection, this.#memberName(remote.raftId))
    if (against === null) {
      state.remote = remote
      this.#foreign.letIn(remote)
      state.heardMs = this.#ports.clock.monotonicMs()
      this.#failpoints.hit('transport.peerIntroduced')
      connection.write(encodeJsonFrame(PeerFrameKind.hello, this.#local()))
      this.#events.onCaller()
      return
    }
    state.intake.stop()
    if (against.code === 'WRONG_CLUSTER') {
      this.#foreign.refused(remote)
      this.#events.onForeignCaller()
    }
    if (against.code === 'WRONG_NAME') this.#metrics.peersMisnamed.add()
    this.#complain('peer.refused', connection, { ...against })
    connection.write(encodeJsonFrame(PeerFrameKind.refused, against))
    this.#ports.clock.after(SILENCE_CHECK_MS, () => connection.destroy())
  }

  /** Peers see at once that this node is gone, and nothing more of theirs is taken in. */
  #fail(error: Error): void {
    this.#end()
    this.#events.onFatal(error)
  }

  #end(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const link of this.#links.values()) link.close()
    for (const connection of this.#accepted.keys()) connection.destroy()
  }

  #complain(event: string, connection: Connection, fields: Complaint): void {
    const now = this.#ports.clock.monotonicMs()
    const last = this.#complaints.get(fields.message)
    if (last !== undefined && now - last < COMPLAIN_AGAIN_MS) return
    for (const [message, atMs] of this.#complaints) {
      if (now - atMs >= COMPLAIN_AGAIN_MS) this.#complaints.delete(message)
    }
    if (this.#complaints.size >= MAX_COMPLAINTS) return
    this.#complaints.set(fields.message, now)
    this.#logger.warn(event, { remote: connection.remote, ...fields })
  }

  #watchSilence(): void {
    this.#timer = this.#ports.clock.after(SILENCE_CHECK_MS, () => {
      const now = this.#ports.clock.monotonicMs()
      for (const [connection, state] of this.#accepted) {
        if (now - state.heardMs > LINK.silenceMs) connection.destroy()
      }
      this.#watchSilence()
    })
  }
}
