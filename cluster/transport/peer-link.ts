import type { Failpoints } from '../failpoints.ts'
import type { Address, Clock, Connection, Network, Random, Timer } from '../ports.ts'
import type { Logger } from '../logger.ts'
import type { RaftId } from '../raft/types.ts'
import type { ClusterMetrics } from '../cluster-metrics.ts'
import { FrameIntake, type FrameHandler } from './frame-intake.ts'
import { MAX_HELLO_BYTES, PeerFrameKind, PeerProtocolError } from './peer-frame.ts'
import { encodeJsonFrame, encodePeerFrame } from './peer-frame-writer.ts'
import {
  decodeHello,
  decodeRefusal,
  decodeRemoved,
  objection,
  type PeerHello,
} from './peer-hello.ts'

export const LINK = {
  connectTimeoutMs: 1_000,
  /** A new attempt comes after this, doubled up to the cap, with ±50 % jitter. */
  retryMinMs: 50,
  retryMaxMs: 1_000,
  pingEveryMs: 500,
  /** Nothing heard for this long: the peer or the path is gone, whatever TCP thinks. */
  silenceMs: 3_000,
  /** More than this not taken by the network: the link is cut and Raft probes anew. */
  maxBufferedBytes: 64 << 20,
  /** While more than this waits, what may be lost is not sent at all: it would hold up what Raft says. */
  busyBytes: 256 << 10,
} as const

/** What an operator does about frames that nobody may send. */
export const MALFORMED_ADVICE =
  'the connection is made anew; if this comes again, check that both nodes run the same version and that nothing changes bytes between them'

const PING = encodePeerFrame(PeerFrameKind.ping, new Uint8Array(0))

export interface LinkEvents {
  /** The peer accepted us; `hello` is its own. */
  onUp(link: PeerLink, hello: PeerHello): void
  onDown(link: PeerLink): void
  /** By the peer's word this node was removed by that index of the log. */
  onRemoved(index: number): void
  /** The peer sent what nobody may send; the connection ends and is made anew. */
  onMalformed(): void
  /** This program is wrong: the process must end. */
  onFatal(error: Error): void
}

/**
 * Our way to one peer: dials, introduces itself, keeps the connection alive and dials again, for
 * ever, until closed. Only frames given while it is up are sent; nothing is kept for later, since
 * Raft sends again what matters.
 */
export class PeerLink {
  readonly name: string
  readonly address: Address
  roundTripMs: number | null = null
  readonly #ports: { network: Network; clock: Clock; random: Random }
  readonly #logger: Logger
  readonly #failpoints: Failpoints
  readonly #local: () => PeerHello
  readonly #memberName: (id: RaftId) => string | null
  readonly #events: LinkEvents
  readonly #metrics: ClusterMetrics
  #connection: Connection | null = null
  #remote: PeerHello | null = null
  #timer: Timer | null = null
  #retryMs: number = LINK.retryMinMs
  #heardMs = 0
  #pingSentMs = 0
  #closed = false
  #lastComplaint = ''
  #refusal: string | null = null

  constructor(options: {
    name: string
    address: Address
    ports: { network: Network; clock: Clock; random: Random }
    logger: Logger
    failpoints: Failpoints
    local: () => PeerHello
    memberName: (id: RaftId) => string | null
    metrics: ClusterMetrics
    events: LinkEvents
  }) {
    this.name = options.name
    this.address = options.address
    this.#ports = options.ports
    this.#logger = options.logger
    this.#failpoints = options.failpoints
    this.#local = options.local
    this.#memberName = options.memberName
    this.#events = options.events
    this.#metrics = options.metrics
    this.#dial()
  }

  /** The peer's introduction while the link is up. */
  get remote(): PeerHello | null {
    return this.#remote
  }

  /** When the peer was last heard here, in monotonic ms; 0 before the first connection. */
  get heardMs(): number {
    return this.#heardMs
  }

  /** Why the two do not talk, since the last try; `null` if they do, or no try got so far. */
  get refusal(): string | null {
    return this.#refusal
  }

  /** False if the link is down: the frame is dropped. */
  send(frame: Uint8Array): boolean {
    const connection = this.#connection
    if (connection === null || this.#remote === null) return this.#drop()
    if (connection.bufferedBytes() > LINK.maxBufferedBytes) {
      this.#complain('peer.link.overrun', `${this.name} does not take what it is sent`)
      connection.destroy()
      return this.#drop()
    }
    this.#metrics.peerFrames.sent.add()
    this.#metrics.peerBytes.sent.add(frame.length)
    const half = this.#failpoints.armed('transport.halfFrame') ? frame.length >> 1 : 0
    if (half > 0) connection.write(frame.subarray(0, half))
    this.#failpoints.hit('transport.halfFrame')
    connection.write(half === 0 ? frame : frame.subarray(half))
    return true
  }

  /** As `send`, for what may be lost: dropped as well while the network is busy with other frames. */
  offer(frame: Uint8Array): boolean {
    const waiting = this.#connection?.bufferedBytes() ?? 0
    return waiting <= LINK.busyBytes ? this.send(frame) : this.#drop()
  }

  /** Ends the connection and dials anew: our introduction changed. */
  restart(): void {
    this.#connection?.destroy()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#connection?.destroy()
  }

  #drop(): false {
    this.#metrics.peerFramesDropped.add()
    return false
  }

  #dial(): void {
    const { network } = this.#ports
    network.connect(this.address, LINK.connectTimeoutMs).then(
      (connection) => {
        if (this.#closed) connection.destroy()
        else this.#begin(connection)
      },
      (error: Error) => {
        this.#refusal = null
        this.#complain('peer.unreachable', error.message)
        this.#dialLater()
      },
    )
  }

  #dialLater(): void {
    if (this.#closed) return
    const jitter = 0.5 + this.#ports.random.uint32() / 2 ** 32
    this.#timer = this.#ports.clock.after(this.#retryMs * jitter, () => {
      this.#failpoints.hit('transport.reconnecting')
      this.#dial()
    })
    this.#retryMs = Math.min(this.#retryMs * 2, LINK.retryMaxMs)
  }

  #begin(connection: Connection): void {
    this.#connection = connection
    this.#failpoints.hit('transport.linkOpened')
    this.#heardMs = this.#ports.clock.monotonicMs()
    const intake = new FrameIntake({
      // Introductions, refusals and pongs: what else a peer has to say it says on its own connection.
      maxBytes: () => MAX_HELLO_BYTES,
      read: (kind, body) => this.#read(connection, kind, body),
      onMalformed: (error) => {
        this.#events.onMalformed()
        this.#complain('peer.protocol', `${error.message}; ${MALFORMED_ADVICE}`)
        connection.destroy()
      },
      onFatal: (error) => this.#events.onFatal(error),
    })
    connection.onData = (bytes) => {
      if (this.#connection !== connection) return
      this.#heardMs = this.#ports.clock.monotonicMs()
      intake.push(bytes)
    }
    connection.onClose = () => this.#ended(connection)
    connection.write(encodeJsonFrame(PeerFrameKind.hello, this.#local()))
    this.#failpoints.hit('transport.helloSent')
    this.#timer = this.#ports.clock.after(LINK.pingEveryMs, () => this.#beat(connection))
  }

  #read(connection: Connection, kind: number, body: Uint8Array): FrameHandler {
    switch (kind) {
      case PeerFrameKind.refused: {
        const message = decodeRefusal(body)
        return () => this.#refused(message)
      }
      case PeerFrameKind.hello: {
        const remote = decodeHello(body)
        return () => this.#introduced(connection, remote)
      }
      case PeerFrameKind.removed: {
        const index = decodeRemoved(body)
        return () => this.#events.onRemoved(index)
      }
      case PeerFrameKind.pong:
        return () => {
          this.roundTripMs = this.#ports.clock.monotonicMs() - this.#pingSentMs
        }
      default:
        throw new PeerProtocolError(`a frame of kind ${kind} came where only answers may come`)
    }
  }

  #introduced(connection: Connection, remote: PeerHello): void {
    const member = this.#memberName(remote.raftId)
    const against = objection(this.#local(), remote, connection, member)
    if (against?.code === 'WRONG_NAME') this.#metrics.peersMisnamed.add()
    if (against !== null || remote.name !== this.name) {
      const other = `${this.address} is ${remote.name}, not ${this.name}: check the peer addresses`
      this.#refused(against?.message ?? other)
      return
    }
    this.#retryMs = LINK.retryMinMs
    this.#lastComplaint = ''
    this.#refusal = null
    this.#remote = remote
    this.#events.onUp(this, remote)
  }

  /** One side will not talk to the other: only an operator changes that, so it is tried rarely. */
  #refused(message: string): void {
    this.#complain('peer.refused', message)
    this.#refusal = message
    this.#retryMs = LINK.retryMaxMs
    this.#connection?.destroy()
  }

  #beat(connection: Connection): void {
    if (this.#connection !== connection) return
    const now = this.#ports.clock.monotonicMs()
    if (now - this.#heardMs > LINK.silenceMs) {
      this.#complain(
        'peer.silent',
        `${this.name} is silent for ${Math.round(now - this.#heardMs)} ms`,
      )
      connection.destroy()
      return
    }
    this.#pingSentMs = now
    connection.write(PING)
    this.#timer = this.#ports.clock.after(LINK.pingEveryMs, () => this.#beat(connection))
  }

  #ended(connection: Connection): void {
    if (this.#connection !== connection) return
    this.#connection = null
    this.#timer?.cancel()
    const wasUp = this.#remote !== null
    this.#remote = null
    this.roundTripMs = null
    this.#failpoints.hit('transport.linkLost')
    if (wasUp) {
      this.#metrics.peerDisconnects.add()
      this.#events.onDown(this)
    }
    this.#dialLater()
  }

  /** The same complaint in a row is worth one line only. */
  #complain(event: string, message: string): void {
    if (message === this.#lastComplaint || this.#closed) return
    this.#lastComplaint = message
    this.#logger.warn(event, { peer: this.name, address: this.address, message })
  }
}
