import {
  assert,
  type Clock,
  type Failpoints,
  type Logger,
  NO_FAILPOINTS,
  type Random,
  type Timer,
} from '#cluster'
import { CloseCode, encodeFrame, type EncodedFrame, type ServerFrame } from '#protocol'
import { GatewayReceipts } from '../receipts/gateway-receipts.ts'
import { problem } from './problem.ts'
import { defineGatewayGauges, defineGatewayMetrics } from '../metrics/gateway-metrics.ts'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { Signal } from '../signals/signal.ts'
import type {
  AppliedConversation,
  AppliedReceipt,
  AppliedRemoval,
  ConversationEvent,
  Revocation,
} from '../state-machine/types.ts'
import { type Authenticator, DevAuthenticator, unauthenticated } from './auth.ts'
import type { Backend } from './backend.ts'
import type {
  ClientConnection,
  ClientHandlers,
  HttpRequest,
  HttpResponse,
  RequestHead,
} from './client-listener.ts'
import { clientRemote, hostOf } from './client-address.ts'
import { ClientLimits } from './client-limits.ts'
import { Departures } from './departures.ts'
import { Fanout } from './fanout.ts'
import { KeyedBuckets } from './keyed-buckets.ts'
import { FlushQueue } from './flush-queue.ts'
import { EncodedMark } from './frame-joiner.ts'
import { drainingError, type GatewayContext } from './gateway-context.ts'
import { DEFAULT_GATEWAY_OPTIONS, type GatewayOptions } from './gateway-options.ts'
import { formatMark } from './mark.ts'
import { originRefusal, type OriginPolicyOptions } from './origin-policy.ts'
import { FrameState } from './send-queue.ts'
import { SessionExpiries } from './session-expiries.ts'
import { SessionRegistry } from './session-registry.ts'
import { SessionPoll } from './session-poll.ts'
import { Session } from './session.ts'
import { SignalDelivery } from './signal-delivery.ts'
import { TokenBucket } from './token-bucket.ts'

export interface GatewayParts {
  readonly backend: Backend
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: MetricsRegistry
  /** @default none */
  readonly failpoints?: Failpoints
  readonly options?: Partial<GatewayOptions>
  /** Web pages and host names; @default none beyond the node's own addresses */
  readonly origins?: Partial<Pick<OriginPolicyOptions, 'allowedOrigins' | 'allowedHosts'>>
  /** Whose `X-Forwarded-For` is believed. @default nobody's */
  readonly isTrustedProxy?: IsTrustedProxy
  /** @default dev mode from loopback only */
  readonly authenticator?: Authenticator
  /** A session of the device began or ended. */
  readonly onSession?: (user: string, device: string) => void
  /** Answers HTTP calls that passed the origin check. */
  readonly onRequest: OnRequest
  /** Those on a listener for operators, if there is one. */
  readonly onOperatorRequest?: OnRequest
}

/** What may change while the gateway runs. */
export interface GatewayChange {
  readonly options: Partial<GatewayOptions>
  readonly origins: NonNullable<GatewayParts['origins']>
  readonly authenticator: Authenticator
  readonly isTrustedProxy: IsTrustedProxy
}

type IsTrustedProxy = (address: string) => boolean
const NO_PROXY: IsTrustedProxy = () => false

type OnRequest = (request: HttpRequest, context: GatewayContext) => Promise<HttpResponse>

/** Whose hellos are counted apart. */
const MAX_ADDRESSES = 10_000
const NO_UPGRADE = problem(
  404,
  'UNSUPPORTED',
  'This address is for operators; clients connect to the other one of this node.',
)
/** How often a slow session is looked at, in ms. */
const SLOW_POLL_MS = 50

/**
 * The client side of a node: takes connections, keeps their sessions, hands writes to the backend
 * and pushes what was applied. Give `handlers` to a client listener and `onEvent` to the state
 * machine. Nothing here waits for a client: each has a bounded queue of its own.
 */
export class Gateway {
  readonly handlers: ClientHandlers
  /** For a listener of operators: HTTP alone. */
  readonly operatorHandlers: ClientHandlers
  readonly #context: GatewayContext
  #options: GatewayOptions
  #origins: OriginPolicyOptions
  #authenticator: Authenticator
  #isTrustedProxy: IsTrustedProxy
  readonly #limits: ClientLimits
  readonly #fanout: Fanout
  readonly #signals: SignalDelivery
  readonly #receipts: GatewayReceipts
  readonly #flushes: FlushQueue
  readonly #sessions = new Set<Session>()
  readonly #slow: SessionPoll
  readonly #notified: SessionPoll
  #sweepTimer: Timer | null = null
  #departures: Departures | null = null
  #closed = false
  #revocations = 0
  #mark: { readonly index: number; readonly encoded: EncodedMark } | null = null

  constructor(parts: GatewayParts) {
    const { backend, clock, random, logger } = parts
    const options = { ...DEFAULT_GATEWAY_OPTIONS, ...parts.options }
    this.#options = options
    this.#origins = originPolicy(options.dev, parts.origins)
    this.#authenticator = parts.authenticator ?? new DevAuthenticator({ dev: options.dev })
    this.#isTrustedProxy = parts.isTrustedProxy ?? NO_PROXY
    this.#flushes = new FlushQueue(clock, options.flushSlice, () => this.#currentMark())
    this.#slow = new SessionPoll(clock, SLOW_POLL_MS, (session) => session.caughtUp())
    this.#notified = new SessionPoll(clock, options.notifyMs, (session) => session.push.cooled())
    const registry = new SessionRegistry(parts.onSession)
    this.#receipts = new GatewayReceipts({ backend, clock, logger, options, registry })
    const metrics = defineGatewayMetrics(parts.metrics)
    this.#limits = new ClientLimits(clock, () => this.#options, metrics.refused)
    const current = { options: () => this.#options, authenticator: () => this.#authenticator }
    this.#context = {
      backend,
      clock,
      random,
      logger,
      failpoints: parts.failpoints ?? NO_FAILPOINTS,
      get options() {
        return current.options()
      },
      get authenticator() {
        return current.authenticator()
      },
      metrics,
      registry,
      receipts: this.#receipts,
      hellos: new TokenBucket(options.hellosPerSecond, clock.monotonicMs()),
      hellosByAddress: new KeyedBuckets(MAX_ADDRESSES),
      expiries: new SessionExpiries(clock, (session) =>
        session.endWith(
          unauthenticated('Your token is out of date; come back with a new one.'),
          CloseCode.authenticationExpired,
          'auth',
        ),
      ),
      revocations: () => this.#revocations,
      draining: () => this.#departures !== null || this.#closed,
      currentMark: () => this.#currentMark(),
      scheduleFlush: (session) => this.#flushes.add(session),
      watchSlow: (session) => this.#slow.add(session),
      mergeNotifies: (session) => this.#notified.add(session),
      ended: (session) => this.#ended(session),
    }
    this.#fanout = new Fanout(this.#context)
    this.#signals = new SignalDelivery(this.#context)
    this.handlers = {
      admit: (head, upgrade) => this.#admit(head, upgrade),
      onConnection: (connection) => this.#accept(connection),
      onRequest: (request) => parts.onRequest(request, this.#context),
      onSocket: (remote) => this.#limits.socketOpened(remote, this.#isTrustedProxy(hostOf(remote))),
      remoteOf: (remote, forwarded) => clientRemote(remote, forwarded, this.#isTrustedProxy),
    }
    const onOperatorRequest = parts.onOperatorRequest ?? parts.onRequest
    this.operatorHandlers = {
      admit: (head, upgrade) => (upgrade ? NO_UPGRADE : this.#originRefusal(head)),
      onConnection: () => assert(false, 'no upgrade is admitted here'),
      onRequest: (request) => onOperatorRequest(request, this.#context),
      remoteOf: (remote, forwarded) => clientRemote(remote, forwarded, this.#isTrustedProxy),
    }
    this.#defineGauges(parts.metrics)
    this.#scheduleSweep()
  }

  #defineGauges(metrics: MetricsRegistry): void {
    defineGatewayGauges(metrics, {
      sessions: () => this.#context.registry.size,
      connections: () => this.#sessions.size,
      queuedBytes: () => this.#queuedBytes(),
      queueLimitBytes: () => this.#options.maxQueuedBytes,
      slowSessions: () => this.#slow.size,
      ready: () => this.#context.backend.readiness().ready,
      draining: () => this.#context.draining(),
    })
  }

  /** What comes from now on is held to it; who was let in stays, unless by a key that is believed no more. */
  reconfigure({ options, origins, authenticator, isTrustedProxy }: GatewayChange): void {
    this.#options = { ...this.#options, ...options }
    this.#origins = originPolicy(this.#options.dev, origins)
    this.#authenticator = authenticator
    this.#isTrustedProxy = isTrustedProxy
    // Who is being let in is asked again.
    this.#revocations += 1
    for (const session of [...this.#sessions]) {
      if (session.identity === null || authenticator.trustsKeyOf(session.identity)) continue
      session.endWith(
        unauthenticated('The key of your token is not believed any more; sign in again.'),
        CloseCode.authenticationExpired,
        'auth',
      )
    }
  }

  /** Sessions that were greeted and not ended. */
  get sessionCount(): number {
    return this.#context.registry.size
  }

  /** Users with a session here, with their devices. */
  devicesHere(): [user: string, devices: string[]][] {
    const here: [string, string[]][] = []
    this.#context.registry.forEachUser((user, sessions) =>
      here.push([user, sessions.map(({ device }) => device)]),
    )
    return here
  }

  hasSession(user: string, device: string): boolean {
    return this.#context.registry.has(user, device)
  }

  /** Called during apply, in log order, for every event. Queues only; cheap if nobody listens. */
  onEvent(conversation: AppliedConversation, event: ConversationEvent): void {
    this.#fanout.onEvent(conversation, event)
    this.#receipts.onEvent(conversation, event)
  }

  /** Hands a signal that passed its route to the sessions here (rule B8). */
  onSignal(signal: Signal): void {
    this.#signals.deliver(signal)
  }

  /** Called during apply: a member's cursor rose. */
  onRemoved(removal: AppliedRemoval): void {
    this.#receipts.onRemoved(removal)
  }

  onReceipt(receipt: AppliedReceipt): void {
    this.#receipts.onReceipt(receipt)
  }

  /** Called during apply: the user `from` sent the message at `seq` again. */
  onDuplicate(conversation: AppliedConversation, seq: number, from: string): void {
    this.#receipts.onDuplicate(conversation, seq, from)
  }

  /** Tells every session who leads now. Call it when `backend.leader()` changed. */
  leaderChanged(): void {
    this.#broadcast({ t: 'leader:N', leader: this.#context.backend.leader() })
  }

  /** Called during apply: ends the sessions whose token is refused from now on. */
  revoked({ user, device, before }: Revocation): void {
    this.#revocations += 1
    this.#context.logger.info('tokens.revoked', { user, device, before })
    for (const session of [...this.#sessions]) {
      const { identity } = session
      if (identity === null || identity.subject !== user) continue
      if (device !== null && device !== session.device) continue
      if (identity.issuedAt === null || identity.issuedAt >= before) continue
      session.endWith(
        unauthenticated('Your token was revoked; sign in again.'),
        CloseCode.authenticationExpired,
        'auth',
      )
    }
  }

  /**
   * Sends every client away to resume from its own position. Call it after the state was replaced
   * by a snapshot: the events that were skipped have been pushed to nobody.
   */
  resync(): void {
    for (const session of [...this.#sessions]) {
      session.end(CloseCode.drain, 'the node caught up by a snapshot; reconnect', 'drain')
    }
  }

  /**
   * Sends clients away spread over time, each to another node, after its requests were answered.
   * Resolves when all have gone, at the latest after `timeoutMs`.
   */
  drain(timeoutMs: number): Promise<void> {
    this.#departures ??= new Departures(this.#context, this.#sessions, timeoutMs)
    return this.#departures.finished
  }

  /** Clients are told to go elsewhere, or were; none are taken. */
  get isDraining(): boolean {
    return this.#context.draining()
  }

  /** Takes clients again; those that were told to go mostly do. */
  undrain(): void {
    this.#departures?.cancel()
    this.#departures = null
  }

  get connections(): number {
    return this.#sessions.size
  }

  /** Ends every connection now. */
  close(): void {
    this.#closed = true
    this.#slow.close()
    this.#notified.close()
    this.#sweepTimer?.cancel()
    this.#context.expiries.close()
    this.#receipts.close()
    for (const session of [...this.#sessions]) {
      session.end(CloseCode.drain, 'the node stops', 'drain')
    }
  }

  #admit(head: RequestHead, upgrade: boolean): HttpResponse | null {
    const refusal = this.#originRefusal(head)
    if (refusal !== null) return refusal
    if (!upgrade) return this.#limits.requestRefusal(head.remote)
    if (this.#context.draining()) {
      return problem(503, 'DRAINING', 'This node is going away.', { 'retry-after': '1' })
    }
    return this.#limits.upgradeRefusal(head.remote)
  }

  #originRefusal(head: RequestHead): HttpResponse | null {
    const refusal = originRefusal(head, this.#origins)
    return refusal === null ? null : problem(403, 'FORBIDDEN', refusal)
  }

  #accept(connection: ClientConnection): void {
    const session = new Session(connection, this.#context)
    this.#sessions.add(session)
    this.#limits.connectionOpened(connection.head.remote)
    if (this.#context.draining()) {
      session.endWith(drainingError(this.#context.backend), CloseCode.drain, 'drain')
    }
  }

  #ended(session: Session): void {
    this.#sessions.delete(session)
    this.#slow.delete(session)
    this.#notified.delete(session)
    this.#context.registry.remove(session)
    this.#context.expiries.remove(session)
    this.#limits.connectionClosed(session.connection.head.remote)
    this.#departures?.gone(session)
  }

  #broadcast(frame: ServerFrame): void {
    const encoded = new Map<string, EncodedFrame>()
    for (const session of this.#sessions) {
      if (session.state !== 'open') continue
      const { subprotocol } = session.connection
      let bytes = encoded.get(subprotocol)
      if (bytes === undefined) {
        bytes = encodeFrame(frame, subprotocol)
        encoded.set(subprotocol, bytes)
      }
      session.sendEncoded(bytes, FrameState.none)
    }
  }

  /** Of the state as it is now: at least what any frame queued so far shows. */
  #currentMark(): EncodedMark {
    const { epoch, state } = this.#context.backend
    const index = state.appliedIndex
    if (this.#mark?.index !== index) {
      this.#mark = { index, encoded: new EncodedMark(formatMark(epoch, index)) }
    }
    return this.#mark.encoded
  }

  /** Ends connections whose client has fallen silent: two and a half heartbeats without a frame. */
  #scheduleSweep(): void {
    const { clock } = this.#context
    const { heartbeatMs } = this.#options
    this.#sweepTimer = clock.after(heartbeatMs / 2, () => {
      const silentSince = clock.monotonicMs() - 2.5 * heartbeatMs
      for (const session of [...this.#sessions]) {
        if (session.heardMs > silentSince) continue
        session.end(CloseCode.normal, `no frame within ${2.5 * heartbeatMs} ms`, 'idle')
      }
      this.#scheduleSweep()
    })
  }

  #queuedBytes(): number {
    let bytes = 0
    for (const session of this.#sessions) bytes += session.queuedBytes
    return bytes
  }
}

const originPolicy = (dev: boolean, origins: GatewayParts['origins']): OriginPolicyOptions => ({
  dev,
  allowedOrigins: [],
  allowedHosts: [],
  ...origins,
})
