import { assert } from './assert.ts'
import { backoffMs } from './backoff.ts'
import { nextState, type ConnectionEvent, type ConnectionState } from './connection-states.ts'
import { Endpoints } from './endpoints.ts'
import { ChatError } from './errors.ts'
import { FrameBatch } from './frame-batch.ts'
import type { ResolvedOptions } from './options.ts'
import { uniform, type Socket, type Timer } from './ports.ts'
import { CloseCode, type WireError } from './protocol/error-codes.ts'
import {
  isFailure,
  type HelloAnswer,
  type RequestFrame,
  type ServerFrame,
} from './protocol/frames.ts'
import type { DecodeLimits } from './protocol/limits.ts'
import { decodeMsgpack } from './protocol/msgpack-codec.ts'
import { ProtocolError } from './protocol/protocol-error.ts'
import { SUPPORTED_VERSIONS } from './protocol/version.ts'

/** What a connection tells its owner, always in this order: online, frames, offline. */
export interface ConnectionListener {
  /** Why this client must not have a session as that user, if so: it ends then. */
  objection(hello: HelloAnswer): ChatError | null
  /** `isNewEpoch`: the cluster's history is another one than before (rule K8). */
  onOnline(hello: HelloAnswer, isNewEpoch: boolean): void
  onFrame(frame: ServerFrame): void
  onOffline(): void
  onStatus(status: ConnectionStatus): void
  /** The heartbeat went out: a moment to look for what was missed. */
  onHeartbeat(): void
  /** Whether anything waits for an answer: then reconnecting is urgent. */
  isActive(): boolean
  nextId(): number
  /** This device's position in its user's inbox (rule B4). */
  inboxPosition(): number | null
}

/** What `chat.state` and `chat.status()` show. */
export type ConnectionStatus =
  | { readonly state: 'connecting'; readonly url: string }
  | {
      readonly state: 'connected'
      readonly url: string
      /** The node's name. */
      readonly node: string
      /** Name of the leader, `null` while there is none. */
      readonly leader: string | null
    }
  | {
      readonly state: 'disconnected'
      readonly reason: string
      /** Milliseconds until the next attempt. */
      readonly retryInMs: number
    }
  /** For good: by `close()`, or because a node refused for good. */
  | { readonly state: 'closed'; readonly reason: string; readonly error: ChatError | null }

/** Keeps one session with some node alive, whatever happens to nodes and network. */
export class Connection {
  readonly #options: ResolvedOptions
  readonly #listener: ConnectionListener
  readonly #endpoints: Endpoints
  readonly #batch: FrameBatch
  #state: ConnectionState = 'idle'
  #status: ConnectionStatus = { state: 'disconnected', reason: 'not started', retryInMs: 0 }
  #socket: Socket | null = null
  #url = ''
  /** Counts attempts, so that what belongs to a given-up one is recognised. */
  #attempt = 0
  /** Attempts since a session last stood, on a node that knew a leader. */
  #failures = 0
  #authenticationFailures = 0
  #timer: Timer | null = null
  #goAwayTimer: Timer | null = null
  /** Runs while the session's node knows of no leader. */
  #leaderlessTimer: Timer | null = null
  /** The wait under way was chosen while nothing was urgent. */
  #isIdleWait = false
  #retryAfterMs: number | null = null
  #heartbeatMs = 15_000
  #spreadMs = 0
  #node = ''
  #lastHeardMs = 0
  #lastHeartbeatMs = 0
  #pingSentMs: number | null = null
  /** The position to resume from (rule B2); it means nothing in another epoch. */
  #epoch: string | null = null
  #mark: string | null = null

  constructor(options: ResolvedOptions, listener: ConnectionListener) {
    this.#options = options
    this.#listener = listener
    this.#endpoints = new Endpoints(options.urls, options.ports.random)
    this.#batch = new FrameBatch((data) => {
      this.#socket?.send(data)
      if (this.#state === 'online') options.ports.failpoints?.hit('socket.sent')
    })
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  get isOnline(): boolean {
    return this.#state === 'online'
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** Where an earlier client of this device was (rule B2). */
  resumeFrom(epoch: string | null, mark: string | null): void {
    this.#epoch = epoch
    this.#mark = mark
  }

  get epoch(): string | null {
    return this.#epoch
  }

  /** The newest mark heard of. */
  get mark(): string | null {
    return this.#mark
  }

  start(): void {
    this.#move('open')
    this.#open()
  }

  /** Only while online. Frames of one turn share a WebSocket message; their order is kept. */
  send(frame: RequestFrame): void {
    assert(this.#state === 'online', 'a frame is sent only on a session')
    this.#batch.add(frame)
  }

  /** Something waits for an answer now: watch closely, and end a wait that only spreads idlers. */
  hurry(): void {
    if (this.#state === 'online') this.#watch()
    else if (this.#state === 'waiting' && this.#isIdleWait) {
      this.#waitFor(uniform(this.#options.ports.random) * HURRY_MS, false)
    }
  }

  close(reason: string, error: ChatError | null = null): void {
    this.#end('close', reason, error)
  }

  #now(): number {
    return this.#options.ports.clock.monotonicMs()
  }

  #move(event: ConnectionEvent): boolean {
    const next = nextState(this.#state, event)
    if (next !== null) this.#state = next
    return next !== null
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status
    this.#listener.onStatus(status)
  }

  #arm(delayMs: number, run: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#options.ports.clock.after(delayMs, () => {
      this.#timer = null
      run()
    })
  }

  #open(): void {
    const attempt = ++this.#attempt
    this.#url = this.#endpoints.next()
    this.#retryAfterMs = null
    this.#setStatus({ state: 'connecting', url: this.#url })
    if (attempt !== this.#attempt) return
    this.#arm(this.#options.attemptTimeoutMs, () => this.#lost(`${this.#url} did not answer`))
    const { token } = this.#options
    if (token === null) return this.#openSocket(attempt, null)
    // A token that is there already costs no turn of the event loop.
    let result: Promise<string> | string
    try {
      result = token()
    } catch (error) {
      return this.#lost(`no token: ${describe(error)}`)
    }
    if (typeof result === 'string') return this.#openSocket(attempt, result)
    result.then(
      (value) => {
        if (attempt === this.#attempt && this.#state === 'opening') this.#openSocket(attempt, value)
      },
      (error: unknown) => {
        if (attempt === this.#attempt) this.#lost(`no token: ${describe(error)}`)
      },
    )
  }

  #openSocket(attempt: number, token: string | null): void {
    const socket = this.#options.ports.openSocket(this.#url, SUBPROTOCOL)
    this.#socket = socket
    const isCurrent = (): boolean => attempt === this.#attempt && this.#socket === socket
    socket.onOpen = () => {
      if (!isCurrent() || !this.#move('opened')) return
      this.#greet(token)
    }
    socket.onMessage = (data) => {
      if (isCurrent()) this.#receive(data)
    }
    socket.onClose = (code, reason) => {
      if (isCurrent()) this.#socketClosed(code, reason)
    }
  }

  #greet(token: string | null): void {
    const { device, user } = this.#options
    const resume =
      this.#epoch === null
        ? undefined
        : { epoch: this.#epoch, inbox: this.#inbox(), mark: this.#mark ?? undefined }
    this.#batch.add({
      t: 'hello:R',
      id: this.#listener.nextId(),
      v: SUPPORTED_VERSIONS,
      device,
      token: token ?? undefined,
      user: user ?? undefined,
      sdk: 'parley-js/1',
      mode: 'push',
      resume,
    })
    this.#batch.flush()
  }

  #inbox(): number | undefined {
    return this.#listener.inboxPosition() ?? undefined
  }

  #receive(data: Uint8Array | string): void {
    this.#lastHeardMs = this.#now()
    this.#pingSentMs = null
    const attempt = this.#attempt
    if (typeof data === 'string') return
    for (const frame of decodeMsgpack(data, 'toClient', UNLIMITED)) {
      // A frame before may have ended this session: the rest is void then, not lost, since
      // whatever it settled or told is asked for again on the next.
      if (attempt !== this.#attempt || this.#socket === null) return
      if (frame instanceof ProtocolError) continue
      this.#handle(frame as ServerFrame)
    }
  }

  #handle(frame: ServerFrame): void {
    if (frame.t === 'hello:A') {
      if (this.#state !== 'greeting') return
      if (isFailure(frame)) this.#turnedAway(frame.error)
      else this.#greeted(frame as HelloAnswer)
      return
    }
    if (this.#state !== 'online') {
      if (frame.t === 'error:N' && 'error' in frame) this.#turnedAway(frame.error)
      return
    }
    if (frame.mark !== undefined) this.#mark = frame.mark
    if (!isFailure(frame)) {
      if (frame.t === 'leader:N') {
        this.#endpoints.learnLeader(frame.leader)
        this.#connected(frame.leader?.id ?? null)
      } else if (frame.t === 'goaway:N') {
        this.#endpoints.suggest(frame.url ?? null)
        this.#goAway(frame.reconnectAfterMs)
      }
    }
    this.#listener.onFrame(frame)
  }

  #greeted(hello: HelloAnswer): void {
    const objection = this.#listener.objection(hello)
    if (objection !== null) return this.#refuse(objection)
    this.#move('greeted')
    const isNewEpoch = this.#epoch !== null && this.#epoch !== hello.epoch
    this.#epoch = hello.epoch
    this.#mark = hello.mark ?? (isNewEpoch ? null : this.#mark)
    this.#heartbeatMs = hello.heartbeatMs
    this.#spreadMs = hello.spreadMs
    this.#authenticationFailures = 0
    this.#node = hello.node
    this.#endpoints.learnNodes(hello.nodes)
    this.#endpoints.learnLeader(hello.leader)
    this.#lastHeartbeatMs = this.#now()
    this.#connected(hello.leader?.id ?? null)
    if (!this.isOnline) return
    this.#listener.onOnline(hello, isNewEpoch)
    if (this.#state === 'online') this.#watch()
  }

  #connected(leader: string | null): void {
    if (leader === null) this.#watchLeaderless()
    else {
      this.#failures = 0
      this.#endpoints.succeeded()
      this.#leaderlessTimer?.cancel()
      this.#leaderlessTimer = null
    }
    this.#setStatus({ state: 'connected', url: this.#url, node: this.#node, leader })
  }

  /**
   * A node that is cut off from the others goes on answering, but stores nothing and hears nothing
   * new: after an election's time another one is tried. If none of them knows a leader, none is
   * better, and the client stays ever longer.
   */
  #watchLeaderless(): void {
    const { clock, random } = this.#options.ports
    if (this.#leaderlessTimer !== null || this.#endpoints.count === 1) return
    const rounds = Math.floor(this.#failures / this.#endpoints.count)
    const patienceMs = Math.min(LEADERLESS_MS * 2 ** rounds, LEADERLESS_CAP_MS)
    this.#leaderlessTimer = clock.after(patienceMs * (1 + uniform(random)), () => {
      this.#leaderlessTimer = null
      if (this.#state === 'online') this.#lost(`${this.#url} is in reach of no leader`)
    })
  }

  #turnedAway(error: WireError): void {
    if (error.leader !== undefined) this.#endpoints.learnLeader(error.leader ?? null)
    if (error.code === 'AUTHENTICATION_FAILED' && this.#options.refreshesToken) {
      // The token may have expired between being fetched and being looked at: once more.
      if (this.#authenticationFailures++ === 0) return this.#lost(error.message)
    }
    if (!error.retryable) return this.#refuse(ChatError.fromWire(error))
    // A crowd is spread by waiting; a node that is merely unfit now says nothing about the others.
    const isAboutAll = error.category === 'overload' || this.#failures + 1 >= this.#endpoints.count
    this.#retryAfterMs = isAboutAll ? (error.retryAfterMs ?? null) : null
    this.#lost(`${error.code}: ${error.message}`)
  }

  #socketClosed(code: number, reason: string): void {
    if (code === CloseCode.replaced) {
      // Coming back would throw the other one out in turn, for ever.
      return this.#refuse(new ChatError('REPLACED', 'another client connected as this device'))
    }
    if (code === CloseCode.version) {
      return this.#refuse(new ChatError('UNSUPPORTED', `no common protocol version: ${reason}`))
    }
    this.#lost(`${this.#url} closed the connection (${code}${reason === '' ? '' : ` ${reason}`})`)
  }

  /** The node wants to end. Going a little earlier or later than others spares the rest. */
  #goAway(withinMs: number): void {
    if (this.#goAwayTimer !== null) return
    const delayMs = uniform(this.#options.ports.random) * withinMs
    this.#goAwayTimer = this.#options.ports.clock.after(delayMs, () => {
      this.#goAwayTimer = null
      if (this.#state === 'online') this.#lost('the node is draining', 0)
    })
  }

  #lost(reason: string, delayMs = this.#nextDelayMs()): void {
    const wasOnline = this.#state === 'online'
    const isIdle = !this.#listener.isActive()
    if (!this.#move('lost')) return
    this.#dropSocket()
    this.#endpoints.failed(this.#url)
    this.#failures++
    this.#waitFor(delayMs, isIdle && this.#retryAfterMs === null, reason)
    if (wasOnline) this.#listener.onOffline()
  }

  /**
   * With something to do: another node at once, until all were tried, then ever more slowly.
   * Without: spread out, so that the clients of a dead node do not all arrive at the next one
   * together; nor do those of a cluster that was away, whose attempts failed meanwhile.
   */
  #nextDelayMs(): number {
    const { ports, retry } = this.#options
    if (this.#retryAfterMs !== null) {
      return this.#retryAfterMs * (1 + retry.jitter * uniform(ports.random))
    }
    const isActive = this.#listener.isActive()
    if (isActive && this.#failures < this.#endpoints.count) return uniform(ports.random) * HURRY_MS
    const rounds = Math.floor(this.#failures / this.#endpoints.count)
    const maxDelayMs = isActive ? Math.min(ACTIVE_CAP_MS, retry.maxDelayMs) : retry.maxDelayMs
    const delayMs = backoffMs(Math.max(0, rounds - 1), { ...retry, maxDelayMs }, ports.random)
    if (isActive) return delayMs
    const spreadMs = uniform(ports.random) * this.#spreadMs
    return this.#failures === 0 ? spreadMs : Math.max(spreadMs, delayMs * uniform(ports.random))
  }

  #waitFor(delayMs: number, isIdleWait: boolean, reason?: string): void {
    this.#isIdleWait = isIdleWait
    const why = reason ?? (this.#status.state === 'disconnected' ? this.#status.reason : '')
    this.#arm(delayMs, () => {
      this.#move('open')
      this.#open()
    })
    this.#setStatus({ state: 'disconnected', reason: why, retryInMs: delayMs })
  }

  #refuse(error: ChatError): void {
    this.#end('refused', error.message, error)
  }

  #end(event: 'close' | 'refused', reason: string, error: ChatError | null): void {
    const wasOnline = this.#state === 'online'
    if (wasOnline) this.#batch.flush()
    if (!this.#move(event)) return
    this.#dropSocket()
    if (wasOnline) this.#listener.onOffline()
    this.#setStatus({ state: 'closed', reason, error })
  }

  #dropSocket(): void {
    this.#attempt++
    this.#timer?.cancel()
    this.#timer = null
    this.#goAwayTimer?.cancel()
    this.#goAwayTimer = null
    this.#leaderlessTimer?.cancel()
    this.#leaderlessTimer = null
    this.#pingSentMs = null
    this.#batch.clear()
    const socket = this.#socket
    this.#socket = null
    socket?.close(CloseCode.normal)
  }

  /**
   * A dead peer says nothing, so silence is answered with a ping, and a ping without an answer ends
   * the session. Only a ping counts: after a laptop slept, the silence alone is no evidence.
   */
  #watch(): void {
    const { silenceMs } = this.#options
    const now = this.#now()
    const isActive = this.#listener.isActive()
    const patienceMs = isActive ? silenceMs / 2 : this.#heartbeatMs
    if (this.#pingSentMs !== null && now - this.#pingSentMs >= patienceMs) {
      return this.#lost(`${this.#url} fell silent`)
    }
    const isDue = now - this.#lastHeartbeatMs >= this.#heartbeatMs
    const isSilent = now - this.#lastHeardMs >= patienceMs
    if (this.#pingSentMs === null && (isDue || isSilent)) {
      this.#pingSentMs = now
      this.#batch.add({ t: 'ping:R', id: this.#listener.nextId(), inbox: this.#inbox() })
      if (isDue) {
        this.#lastHeartbeatMs = now
        this.#listener.onHeartbeat()
      }
    }
    if (this.#state === 'online') {
      this.#arm(isActive ? Math.min(silenceMs / 4, this.#heartbeatMs) : this.#heartbeatMs / 2, () =>
        this.#watch(),
      )
    }
  }
}

const SUBPROTOCOL = 'parley.v1.msgpack'
const UNLIMITED: DecodeLimits = { bodyBytes: Infinity, metaBytes: Infinity }
/** A client with work goes to another node within this time. */
const HURRY_MS = 100
/** How long a client stays with a node that knows of no leader, at least, in its first round. */
const LEADERLESS_MS = 1_000
const LEADERLESS_CAP_MS = 15_000
/** Longest wait between rounds over all nodes while something waits to be sent. */
const ACTIVE_CAP_MS = 5000

const describe = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
