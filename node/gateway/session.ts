import { assert, type Timer } from '#cluster'
import {
  type AnswerFrame,
  CloseCode,
  type DecodeLimits,
  decodeFrames,
  encodeFrame,
  type EncodedFrame,
  type FailureFrame,
  LIMITS,
  type MessageAnswer,
  ProtocolError,
  type RequestFrame,
  type ServerFrame,
  type WireError,
  wireError,
} from '#protocol'
import type { CloseReason, Operation } from '../metrics/gateway-metrics.ts'
import type { Identity } from './auth.ts'
import type { ClientConnection } from './client-listener.ts'
import type { EncodedMark } from './frame-joiner.ts'
import { FlowLimit } from './flow-limit.ts'
import { drainingError, type GatewayContext } from './gateway-context.ts'
import { handlerOf } from './handlers/handler.ts'
import { greet } from './handlers/hello.ts'
import { PendingRequest } from './pending-request.ts'
import { failureOf } from './protocol-failure.ts'
import { KnownPositions } from './known-positions.ts'
import { SessionPush } from './session-push.ts'
import { roleRefusal } from './role-refusal.ts'
import { SessionSignals } from './session-signals.ts'
import { SessionReads } from './session-reads.ts'
import { FrameState, SendQueue } from './send-queue.ts'
import { WritesInFlight } from './writes-in-flight.ts'

/**
 * - `awaitingHello`: nothing but `hello:R` is taken, and not for long.
 * - `greeting`: `hello:R` waits for its mark; what follows it is held.
 * - `open`: registered, pushed to, served.
 * - `leaving`: the node drains; what is in flight is answered, nothing new is taken.
 * - `ended`: closed by either side; every later call does nothing.
 */
export type SessionState = 'awaitingHello' | 'greeting' | 'open' | 'leaving' | 'ended'

/** One client's connection. All its frames leave in apply order through one queue (rule B4). */
export class Session {
  readonly connection: ClientConnection
  /** Both are empty before `open`. */
  user = ''
  device = ''
  mode: 'push' | 'notify' = 'push'
  /** Who the client proved to be, from the moment that is known; not greeted yet before `open`. */
  identity: Identity | null = null
  /** Of `hello:R.resume`: what the client was shown before this session. */
  resumedMark: string | undefined = undefined
  /** Monotonic time of the last frame from the client. */
  heardMs: number
  /** In the gateway's list of sessions to write. */
  scheduled = false
  /** A `sync:R` was answered: what follows is not the first page of a catch-up. */
  synced = false
  readonly push: SessionPush
  #signals: SessionSignals | null = null
  /** How far the client is known to have come in each conversation. */
  readonly known = new KnownPositions()
  readonly #context: GatewayContext
  readonly #limits: DecodeLimits
  readonly #queue = new SendQueue()
  readonly #flow: FlowLimit
  readonly #writes = new WritesInFlight()
  /** Pushes are among what is queued. */
  #pushes = false
  readonly #reads: SessionReads
  #state: SessionState = 'awaitingHello'
  #helloTimer: Timer | null
  #inFlight = 0
  /** Bytes that the connection held back after the last write; may have gone out since. */
  #unsent = 0
  #held: RequestFrame[] = []
  #heldBytes = 0
  /** Over its bound: ends at the next write, not in the middle of a fan-out. */
  #overrun = false

  constructor(connection: ClientConnection, context: GatewayContext) {
    this.connection = connection
    this.#context = context
    const { clock, options } = context
    this.push = new SessionPush(this, context)
    this.#limits = { bodyBytes: options.maxBodyBytes, metaBytes: LIMITS.metaBytes }
    this.heardMs = clock.monotonicMs()
    this.#flow = new FlowLimit(options, this.heardMs)
    this.#reads = new SessionReads(options.maxConcurrentReads, () => !this.#congested())
    this.#helloTimer = clock.after(options.helloTimeoutMs, () => {
      this.#helloTimer = null
      if (this.#state !== 'awaitingHello') return
      this.endWith(
        wireError('INVALID_MESSAGE', `No hello:R came within ${options.helloTimeoutMs} ms.`),
        CloseCode.policy,
        'protocol',
      )
    })
    connection.onMessage = (message) => this.#receive(message)
    connection.onClose = () => this.#finish('client')
  }

  get state(): SessionState {
    return this.#state
  }

  get signals(): SessionSignals {
    const { backend, clock, logger, options } = this.#context
    return (this.#signals ??= new SessionSignals(
      { logTime: backend.state.logTime, wallMs: Math.max(0, Math.floor(clock.wallMs())) },
      options.signalsPerSecond,
      clock.monotonicMs(),
      (error) => logger.error('signal.failed', { error }),
    ))
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Bytes that wait in this process, as of the last write. */
  get queuedBytes(): number {
    return this.#queue.bytes + this.#unsent
  }

  #receive(message: Uint8Array | string): void {
    if (this.#state === 'ended') return
    const nowMs = this.#context.clock.monotonicMs()
    this.heardMs = nowMs
    this.#context.metrics.clientBytes.received.add(message.length)
    if (!this.#flow.message(message.length, nowMs)) {
      this.#floods()
      return
    }
    if (this.#state === 'greeting' && !this.#mayHold(message.length)) return
    const { subprotocol } = this.connection
    for (const decoded of decodeFrames(message, subprotocol, 'toServer', this.#limits)) {
      if (!this.#flow.frame(nowMs)) this.#floods()
      else if (decoded instanceof ProtocolError) this.#malformed(decoded)
      else this.#take(decoded, nowMs)
      // A frame of the message may have ended the session: the rest is not taken.
      if ((this.#state as SessionState) === 'ended') return
    }
  }

  #take(frame: RequestFrame, nowMs: number): void {
    if (this.#state === 'open') this.#serve(frame, nowMs)
    else if (this.#state === 'awaitingHello') this.#takeFirst(frame, nowMs)
    else if (this.#state === 'greeting') this.#hold(frame)
    else if (this.#state === 'leaving') {
      this.#begin(frame, nowMs).fail(drainingError(this.#context.backend))
    }
  }

  /** It goes on sending what is refused. */
  #floods(): void {
    const refusal = this.#flow.refusal()
    assert(refusal !== null, 'nothing is refused')
    const { why, retryAfterMs } = refusal
    this.#context.metrics.refused[why].add()
    const message = 'This connection sends more than it may, and goes on when it is told so.'
    const error = wireError('RATE_LIMITED', message, { retryAfterMs })
    this.endWith(error, CloseCode.overload, 'overload')
  }

  #takeFirst(frame: RequestFrame, nowMs: number): void {
    if (frame.t !== 'hello:R') {
      const refusal = wireError('INVALID_MESSAGE', `hello:R comes before ${frame.t}.`)
      this.#begin(frame, nowMs).fail(refusal)
      this.end(CloseCode.policy, 'hello:R comes first', 'protocol')
      return
    }
    this.#helloTimer?.cancel()
    this.#helloTimer = null
    this.#state = 'greeting'
    greet(this.#begin(frame, nowMs), frame, this.#context)
  }

  /** A held frame keeps its WebSocket message in memory, so bytes are bounded as well as frames. */
  #mayHold(bytes: number): boolean {
    this.#heldBytes += bytes
    if (this.#heldBytes <= this.#context.options.maxMessageBytes) return true
    this.#heldTooMuch()
    return false
  }

  #hold(frame: RequestFrame): void {
    this.#held.push(frame)
    if (this.#held.length > this.#context.options.maxFramesBeforeHello) this.#heldTooMuch()
  }

  #heldTooMuch(): void {
    const error = wireError('OVERLOADED', 'Too much came before hello:A.')
    this.endWith(error, CloseCode.overload, 'overload')
  }

  #serve(frame: RequestFrame, nowMs: number): void {
    const request = this.#begin(frame, nowMs)
    const tooFast = this.#flow.refusal()
    if (tooFast !== null) {
      this.#context.metrics.refused[tooFast.why].add()
      const { retryAfterMs } = tooFast
      const message = 'You send too fast; send the same again later.'
      request.fail(wireError('RATE_LIMITED', message, { retryAfterMs }))
    } else if (frame.t === 'hello:R') {
      request.fail(wireError('INVALID_MESSAGE', 'This session was greeted already.'))
    } else if (this.#inFlight > this.#context.options.maxInFlight) {
      const most = this.#context.options.maxInFlight
      request.fail(wireError('OVERLOADED', `More than ${most} requests without an answer.`))
    } else {
      const refusal = roleRefusal(this.identity?.role ?? 'user', frame)
      if (refusal === null) this.#handle(request, frame)
      else request.fail(refusal)
    }
  }

  /** What one client sends must not end the node for all of them, whatever was overlooked. */
  #handle(request: PendingRequest, frame: Exclude<RequestFrame, { t: 'hello:R' }>): void {
    try {
      handlerOf(frame.t)(request, frame, this.#context)
    } catch (error) {
      this.#context.logger.error('request.failed', { request: request.type, error })
      this.#failed(request, 'The node failed to serve this. See its log.')
    }
  }

  /** An answer that failed on its way out is not given twice: then the session ends instead. */
  #failed(request: PendingRequest, sentence: string): void {
    const error = wireError('INTERNAL', sentence)
    if (request.isSettled) this.end(CloseCode.overload, error.message, 'overload')
    else request.fail(error)
  }

  #begin(frame: RequestFrame, nowMs: number): PendingRequest {
    this.#inFlight++
    return new PendingRequest(this, frame, nowMs)
  }

  #malformed(error: ProtocolError): void {
    this.#context.metrics.malformed.add()
    this.send(failureOf(error), FrameState.none)
    if (this.#state === 'awaitingHello') {
      this.end(CloseCode.policy, 'hello:R comes first', 'protocol')
    }
  }

  /** From here on the session is registered and pushed to; the frames held so far are served. */
  opened(): void {
    assert(this.#state === 'greeting', `cannot open a session that is ${this.#state}`)
    this.#state = 'open'
    const held = this.#held
    this.#held = []
    const nowMs = this.#context.clock.monotonicMs()
    for (const frame of held) this.#take(frame, nowMs)
  }

  /** Runs `read` when it is its turn; a failure in it is answered `INTERNAL`. */
  read(request: PendingRequest, read: () => Promise<void>): void {
    if (this.#state === 'ended') return
    this.#reads.push(async () => {
      if (this.#state === 'ended') return
      try {
        await read()
      } catch (error) {
        this.#context.logger.error('read.failed', { request: request.type, error })
        this.#failed(request, 'The node failed to read. See its log.')
      }
    })
  }

  writeStarted(msgId: string): void {
    this.#writes.started(msgId)
  }

  writeSettled(msgId: string): void {
    this.#writes.settled(msgId)
  }

  pulled(conv: string, seq: number): void {
    this.known.reached(conv, seq)
  }

  /** Called by a request once, with its answer. */
  answered(request: PendingRequest, answer: AnswerFrame | FailureFrame, state: FrameState): void {
    this.#inFlight--
    assert(this.#inFlight >= 0, 'more answers than requests')
    const { metrics, clock } = this.#context
    const operation = request.type.slice(0, -2) as Operation
    const error = 'error' in answer ? answer.error : undefined
    metrics.requestAnswered(operation, error?.code ?? 'OK')
    if (error !== undefined && operation === 'msg' && !error.retryable) metrics.rejected.add()
    metrics.requestDuration[operation].observe((clock.monotonicMs() - request.startedMs) / 1000)
    this.send(answer, state)
    if (request.type === 'msg:R' && error === undefined) {
      this.#context.receipts.answered(this, answer as MessageAnswer)
    }
  }

  send(frame: ServerFrame, state: FrameState): void {
    if (this.#state === 'ended') return
    this.#enqueue(encodeFrame(frame, this.connection.subprotocol), state)
  }

  /** A frame shared by many sessions, encoded for this one's subprotocol. */
  sendEncoded(frame: EncodedFrame, state: FrameState): void {
    if (this.#state !== 'ended') this.#enqueue(frame, state)
  }

  /** Whether `msg:A` will tell this session of the event, or has just told it. */
  awaits(msgId: string): boolean {
    return this.#writes.has(msgId)
  }

  /** Whether so much more may be queued before the client counts as slow. */
  fits(bytes: number): boolean {
    const { slowBytes } = this.#context.options
    if (this.#unsent + this.#queue.bytes + bytes <= slowBytes) return true
    this.#unsent = this.connection.bufferedBytes()
    return this.#unsent + this.#queue.bytes + bytes <= slowBytes
  }

  /** An event or a notify; `inbox` is spliced in, 0 for none. */
  enqueuePush(frame: EncodedFrame, inbox: number): void {
    if (this.#state === 'ended') return
    this.#pushes = true
    this.#enqueue(frame, FrameState.shown, inbox)
  }

  #enqueue(frame: EncodedFrame, state: FrameState, inbox = 0): void {
    if (this.#overrun) return
    this.#queue.push(frame, state, inbox)
    const { options } = this.#context
    if (this.#unsent + this.#queue.bytes > options.maxQueuedBytes) {
      this.#unsent = this.connection.bufferedBytes()
      if (this.#unsent + this.#queue.bytes > options.maxQueuedBytes) {
        this.overran()
        return
      }
    }
    this.#context.scheduleFlush(this)
  }

  /** Over a bound: what waits is dropped, and the connection ends with the next write. */
  overran(): void {
    this.#overrun = true
    this.#queue.clear()
    this.push.clear()
    this.#context.scheduleFlush(this)
  }

  flush(mark: EncodedMark): void {
    if (this.#state === 'ended') return
    if (this.#overrun) {
      this.end(CloseCode.slowConsumer, 'the client reads too slowly', 'slow_consumer')
      return
    }
    const { connection } = this
    this.#writes.forgetSettled()
    this.#queue.flush(mark, (message) => this.#write(message))
    this.#pushes = false
    this.#unsent = connection.bufferedBytes()
    if (this.#congested()) this.#context.watchSlow(this)
  }

  #write(message: EncodedFrame): void {
    const { failpoints, metrics } = this.#context
    metrics.clientBytes.sent.add(message.length)
    const half = this.#pushes ? 'gateway.halfPush' : 'gateway.halfAnswer'
    if (failpoints.armed(half)) this.connection.sendHalf(message, () => failpoints.hit(half))
    else {
      failpoints.hit(half)
      this.connection.send(message)
    }
  }

  /** Whether the client has caught up; then the notifies that were kept back go out. */
  caughtUp(): boolean {
    if (this.#state === 'ended') return true
    this.#unsent = this.connection.bufferedBytes()
    if (this.#unsent + this.#queue.bytes > this.#context.options.slowBytes / 4) return false
    this.push.resume()
    this.#reads.resume()
    return true
  }

  #congested(): boolean {
    return this.push.slow || this.#unsent > this.#context.options.slowBytes
  }

  /** Takes nothing new; `DRAINING` answers what still comes. */
  leave(): void {
    if (this.#state === 'open') this.#state = 'leaving'
  }

  /** Tells why in an `error:N`, then ends. */
  endWith(error: WireError, code: number, reason: CloseReason): void {
    this.send({ t: 'error:N', error }, FrameState.none)
    this.end(code, error.message, reason)
  }

  /** Writes what is queued and closes. A request without an answer by then gets none. */
  end(code: number, text: string, reason: CloseReason): void {
    if (this.#state === 'ended') return
    if (this.#queue.length > 0) {
      this.#queue.flush(this.#context.currentMark(), (message) => {
        this.#context.metrics.clientBytes.sent.add(message.length)
        this.connection.send(message)
      })
    }
    this.#finish(reason)
    // A close frame carries at most 123 bytes of text.
    this.connection.close(code, Buffer.from(text).subarray(0, 123).toString())
  }

  #finish(reason: CloseReason): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#helloTimer?.cancel()
    this.#helloTimer = null
    this.#queue.clear()
    this.#reads.clear()
    this.push.clear()
    this.known.clear()
    this.#writes.clear()
    this.#held = []
    this.#unsent = 0
    this.#context.metrics.closed[reason].add()
    const { user, device } = this
    this.#context.logger.debug('session.ended', { user, device, reason })
    this.#context.ended(this)
  }
}
