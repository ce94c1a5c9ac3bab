import { type Clock, PeerFrameKind, type RaftId, type Timer } from '#cluster'
import { RecentOrder } from './recent-order.ts'
import { RouteRing } from './route-ring.ts'
import { encodeSignal, encodeStamped, type Routes } from './signal-codec.ts'
import { type Signal, signalKey, type SignalStamp, type StampedSignal } from './signal.ts'

/** How often a leader looks who can be reached. */
const LOOK_MS = 500
/** Every so many looks it says the same again: what is published may be lost like any frame. */
const LOOKS_PER_REPEAT = 4
const MAX_KEYS = 20_000
const MAX_HELD = 1_000

export interface SignalHost {
  readonly clock: Clock
  /** A directory gets its id before its first message; it may be made after this. */
  self(): RaftId
  /** Of this node, as a leader that knows all that was committed; `null` while it is none. */
  leadingTerm(): number | null
  /** Voters of the committed configuration. */
  voters(): readonly RaftId[]
  peersUp(): readonly RaftId[]
  /** `false`: there is no connection, or it holds back too much. */
  send(to: RaftId, frame: Uint8Array): boolean
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  /** Hands it to the sessions of this node. */
  deliver(signal: Signal): void
}

interface Held {
  readonly signal: Signal
  readonly untilMs: number
}

/**
 * The way of a signal (rule B8): from the gateway that took it to the one node that orders what its
 * pair or conversation says, and from there to every gateway. Nothing is stored or sent again; what
 * cannot go on is dropped and counted. The order: the leader names the nodes that share the keys, as
 * `(term, version, nodes)`; each of them stamps what passes with `(term, version, n)`; a gateway
 * drops whatever is not greater than the last of its key.
 *
 * Of the committed voters the leader names those that it reaches, so that a dead one takes no signals
 * with it; a voter that comes back counts its `n` anew, so that makes a new version.
 */
export class SignalRouter {
  readonly #host: SignalHost
  /** What this node last stamped or handed on of each device: another route may have stamped it. */
  readonly #ofDevices = new RecentOrder(MAX_KEYS, 0)
  readonly #delivered = new RecentOrder(MAX_KEYS, 2)
  #routes: Routes | null = null
  #ring = new RouteRing([])
  #n = 0
  #held: Held[] = []
  #looks = 0
  #timer: Timer
  #dropped = 0
  #published = 0
  #handedOver = 0

  constructor(host: SignalHost) {
    this.#host = host
    this.#timer = host.clock.after(LOOK_MS, this.#look)
  }

  /** Since the start, on this node. */
  get dropped(): number {
    return this.#dropped
  }

  /** Taken from sessions of this node, since the start. */
  get publishedCount(): number {
    return this.#published
  }

  /** Handed to the sessions of this node, since the start. */
  get deliveredCount(): number {
    return this.#handedOver
  }

  get routes(): Routes | null {
    return this.#routes
  }

  close(): void {
    this.#timer.cancel()
    this.#held = []
  }

  /** From a session of this node. */
  publish(signal: Signal): void {
    this.#published += 1
    this.#route(signal)
  }

  #route(signal: Signal): void {
    const route = this.#ring.nodeOf(signalKey(signal))
    if (route === this.#host.self()) this.#order(signal)
    else if (route === null) this.#hold(signal)
    else if (!this.#host.send(route, encodeSignal(signal))) this.#dropped += 1
  }

  /** From a gateway that takes this node for the route. */
  received(signal: Signal): void {
    // Two nodes must not stamp one key under the same version: who is not its route says nothing.
    const route = this.#ring.nodeOf(signalKey(signal))
    if (route === this.#host.self()) this.#order(signal)
    else if (route === null) this.#hold(signal)
    else this.#dropped += 1
  }

  /** From the route. */
  stamped({ stamp, signal }: StampedSignal): void {
    // One that was held up on its way to a route may be stamped there after others had their turn as route.
    if (this.#isNext(stamp, signal) && this.#isDevicesNext(signal)) this.#deliver(signal)
    else this.#dropped += 1
  }

  published(routes: Routes): void {
    const { term, version } = routes
    const known = this.#routes
    const isNewer =
      known === null || term > known.term || (term === known.term && version > known.version)
    if (!isNewer) return
    this.#routes = routes
    this.#ring = new RouteRing(routes.nodes)
    const held = this.#held
    this.#held = []
    const now = this.#host.clock.monotonicMs()
    for (const { signal, untilMs } of held) {
      if (now <= untilMs) this.#route(signal)
      else this.#dropped += 1
    }
  }

  /** A connection to that node began: it may have started anew. */
  peerUp(peer: RaftId): void {
    const term = this.#host.leadingTerm()
    if (term !== null && this.#host.voters().includes(peer)) this.#publishRoutes(term)
  }

  #order(signal: Signal): void {
    if (!this.#isDevicesNext(signal)) {
      this.#dropped += 1
      return
    }
    const { term, version } = this.#routes!
    this.#n += 1
    const stamped = { stamp: { term, version, n: this.#n }, signal }
    const frame = encodeStamped(stamped)
    for (const peer of this.#host.peersUp()) {
      if (!this.#host.send(peer, frame)) this.#dropped += 1
    }
    if (this.#isNext(stamped.stamp, signal)) this.#deliver(signal)
    else this.#dropped += 1
  }

  #isNext({ term, version, n }: SignalStamp, signal: Signal): boolean {
    return this.#delivered.passes(signalKey(signal), [term, version, n])
  }

  /** Of one device's own, also over two gateways, the later is the greater. */
  #isDevicesNext(signal: Signal): boolean {
    const { from, device, session, sessionWall, n } = signal
    const key = `${from}:${device}:${signalKey(signal)}`
    return this.#ofDevices.passes(key, [session, sessionWall, n])
  }

  #deliver(signal: Signal): void {
    this.#handedOver += 1
    this.#host.deliver(signal)
  }

  #hold(signal: Signal): void {
    const untilMs = this.#host.clock.monotonicMs() + signal.ttlMs
    if (signal.ttlMs > 0 && this.#held.length < MAX_HELD) this.#held.push({ signal, untilMs })
    else this.#dropped += 1
  }

  readonly #look = (): void => {
    this.#timer = this.#host.clock.after(LOOK_MS, this.#look)
    const term = this.#host.leadingTerm()
    if (term === null) return
    const known = this.#routes
    const nodes = this.#reachable()
    const isSame =
      known !== null &&
      known.term === term &&
      known.nodes.length === nodes.length &&
      known.nodes.every((node, at) => node === nodes[at])
    if (!isSame) return this.#publishRoutes(term)
    this.#looks += 1
    if (this.#looks % LOOKS_PER_REPEAT === 0) this.#tell(known)
  }

  #reachable(): readonly RaftId[] {
    const up = new Set([this.#host.self(), ...this.#host.peersUp()])
    return this.#host
      .voters()
      .filter((voter) => up.has(voter))
      .toSorted()
  }

  #publishRoutes(term: number): void {
    const known = this.#routes
    const version = known?.term === term ? known.version + 1 : 1
    const routes = { term, version, nodes: this.#reachable() }
    // Told first: what was held goes out behind it, to nodes that know that they are its route.
    this.#tell(routes)
    this.published(routes)
  }

  #tell(routes: Routes): void {
    for (const peer of this.#host.peersUp()) {
      this.#host.sendJson(peer, PeerFrameKind.routes, routes)
    }
  }
}
