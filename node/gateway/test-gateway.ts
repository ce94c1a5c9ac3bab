/** What the gateway's tests stand on: a clock moved by hand, a backend that says what it is told. */
import type { Clock, Logger, Random, Timer } from '#cluster'
import {
  decodeFrames,
  encodeBody,
  encodeFrame,
  joinFrames,
  ProtocolError,
  type RequestFrame,
  type ServerFrame,
  type Subprotocol,
  type WireError,
} from '#protocol'
import { MetricsRegistry } from '../metrics/metrics-registry.ts'
import {
  type AppliedConversation,
  type ConversationEvent,
  type ConversationView,
  EventKind,
  type EventPage,
  type StateReader,
  type WriteResult,
} from '../state-machine/types.ts'
import type { Backend, NodeRef, Submission } from './backend.ts'
import type { ClientConnection, RequestHead } from './client-listener.ts'
import { Gateway, type GatewayParts } from './gateway.ts'
import type { GatewayOptions } from './gateway-options.ts'

export class ManualClock implements Clock {
  nowMs = 1_000
  #timers: { atMs: number; run: () => void }[] = []
  #deferred: (() => void)[] = []

  wallMs(): number {
    return this.nowMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, run }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) }
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
  }

  /** One later turn of the event loop. */
  turn(): void {
    for (const run of this.#deferred.splice(0)) run()
  }

  /** Everything that is ready, promises and turns, until nothing is left. */
  async settle(): Promise<void> {
    do {
      for (let i = 0; i < 20; i++) await Promise.resolve()
      this.turn()
    } while (this.#deferred.length > 0)
    for (let i = 0; i < 20; i++) await Promise.resolve()
    if (this.#deferred.length > 0) await this.settle()
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = this.#timers.filter((timer) => timer.atMs <= untilMs)
      if (next.length === 0) break
      next.sort((a, b) => a.atMs - b.atMs)
      const timer = next[0]!
      this.#timers = this.#timers.filter((one) => one !== timer)
      this.nowMs = Math.max(this.nowMs, timer.atMs)
      timer.run()
      await this.settle()
    }
    this.nowMs = untilMs
    await this.settle()
  }
}

/** Half of the range, every time. */
export const steadyRandom: Random = {
  uint32: () => 2 ** 31,
  bytes: (length) => new Uint8Array(length),
}

export class RecordingLogger implements Logger {
  readonly events: string[] = []
  debug = (event: string): void => void this.events.push(event)
  info = (event: string): void => void this.events.push(event)
  warn = (event: string): void => void this.events.push(event)
  error = (event: string): void => void this.events.push(event)
}

export class FakeState implements StateReader {
  appliedIndex = 10
  logTime = 5_000
  stateHash = 'hash'
  conversations = new Map<string, ConversationView>()
  events = new Map<string, ConversationEvent[]>()
  /** Set to have every read fail. */
  failure: Error | null = null
  gap: EventPage['gap'] = null
  /** Users that never were members of anything. */
  readonly strangers = new Set<string>()

  async conversation(id: string): Promise<ConversationView | null> {
    if (this.failure !== null) throw this.failure
    return this.conversations.get(id) ?? null
  }

  async isMember(id: string, user: string): Promise<boolean> {
    return this.conversations.get(id)?.members.some((member) => member.user === user) ?? false
  }

  async wasMember(_id: string, user: string): Promise<boolean> {
    return !this.strangers.has(user)
  }

  async conversationsOf(user: string, limit: number): Promise<ConversationView[]> {
    return [...this.conversations.values()]
      .filter((view) => view.members.some((member) => member.user === user))
      .slice(0, limit)
  }

  async eventsAfter(id: string, _: string, after: number, limit: number) {
    if (this.failure !== null) throw this.failure
    const all = this.events.get(id)
    if (all === undefined) return null
    const rest = all.filter((event) => event.seq > after)
    return this.#page(rest.slice(0, limit), rest.length > limit, after)
  }

  async eventsBefore(id: string, _: string, before: number, limit: number) {
    const all = this.events.get(id)
    if (all === undefined) return null
    const rest = all.filter((event) => event.seq < before)
    const events = rest.slice(-limit)
    const hasMore = rest.length > limit
    return { events, next: events[0]?.seq ?? before, upTo: before - 1, hasMore, gap: this.gap }
  }

  #page(events: ConversationEvent[], hasMore: boolean, after: number): EventPage {
    const next = events.at(-1)?.seq ?? after
    return { events, next, upTo: next, hasMore, gap: this.gap }
  }
}

export type Outcome = WriteResult | { error: WireError }

export class FakeBackend implements Backend {
  readonly self: NodeRef = { id: 'n1', url: 'http://127.0.0.1:7401' }
  epoch = 'e1'
  readonly state = new FakeState()
  leaderNode: NodeRef | null = { id: 'n2', url: 'http://127.0.0.1:7402' }
  ready = true
  serving: boolean | undefined = undefined
  reasons: string[] = []
  /** Every submission, in order, with what settles it. */
  readonly submissions: { submission: Submission; done: (outcome: Outcome) => void }[] = []
  /** Answers at once when set. */
  answer: ((submission: Submission) => Outcome) | null = null
  readIndexAnswer: { index: number } | { error: WireError } = { index: 10 }
  readonly #waiting: { index: number; resolve: (reached: boolean) => void }[] = []

  leader(): NodeRef | null {
    return this.leaderNode
  }

  nodes(): readonly NodeRef[] {
    const others = ['n2', 'n3'].map((id, at) => ({ id, url: `http://127.0.0.1:${7402 + at}` }))
    return [this.self, ...others]
  }

  readiness() {
    const { ready, reasons, serving = ready } = this
    return { ready, reasons, serving }
  }

  submit(submission: Submission, done: (outcome: Outcome) => void): void {
    this.submissions.push({ submission, done })
    if (this.answer !== null) done(this.answer(submission))
  }

  waitApplied(index: number): Promise<boolean> {
    if (this.state.appliedIndex >= index) return Promise.resolve(true)
    return new Promise((resolve) => this.#waiting.push({ index, resolve }))
  }

  async readIndex() {
    return this.readIndexAnswer
  }

  /** Applies up to `index` and answers who waited for it. */
  apply(index: number): void {
    this.state.appliedIndex = index
    for (const one of this.#waiting.splice(0)) {
      if (one.index <= index) one.resolve(true)
      else this.#waiting.push(one)
    }
  }

  /** What the time limit of every wait does. */
  giveUp(): void {
    for (const one of this.#waiting.splice(0)) one.resolve(false)
  }
}

export function accepted(submission: Submission, seq = 1): WriteResult {
  const conv = 'conv' in submission && submission.conv ? submission.conv : 'd1'
  return { ok: true, conv, msgId: submission.msgId, seq, ord: seq, at: 7, duplicate: false, now: 8 }
}

export class MemoryConnection implements ClientConnection {
  readonly subprotocol: Subprotocol
  readonly head: RequestHead
  onMessage: (message: Uint8Array | string) => void = () => {}
  onClose: (code: number) => void = () => {}
  /** Frames received, grouped by WebSocket message. */
  readonly messages: ServerFrame[][] = []
  readonly sizes: number[] = []
  closed: { code: number; reason: string } | null = null
  /** While false, what is sent stays in the buffer. */
  reading = true
  #buffered = 0

  constructor(subprotocol: Subprotocol = 'parley.v1.msgpack', head: Partial<RequestHead> = {}) {
    this.subprotocol = subprotocol
    this.head = { ...HEAD, ...head }
  }

  send(message: Uint8Array | string): void {
    if (this.closed !== null) throw new Error('sent after close')
    if (!this.reading) this.#buffered += message.length
    this.sizes.push(message.length)
    // As over a socket: the bytes are the receiver's own.
    const received = typeof message === 'string' ? message : Uint8Array.from(message)
    const frames = decodeFrames(received, this.subprotocol, 'toClient')
    for (const frame of frames) if (frame instanceof ProtocolError) throw frame
    this.messages.push(frames as ServerFrame[])
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason }
  }

  bufferedBytes(): number {
    return this.#buffered
  }

  /** The client reads again: everything buffered is gone. */
  drain(): void {
    this.reading = true
    this.#buffered = 0
  }

  get frames(): ServerFrame[] {
    return this.messages.flat()
  }

  last<T extends ServerFrame['t']>(type: T): Extract<ServerFrame, { t: T }> {
    const frame = this.frames.findLast((one) => one.t === type)
    if (frame === undefined) throw new Error(`no ${type} came`)
    return frame as Extract<ServerFrame, { t: T }>
  }

  /** As the client: one WebSocket message of these frames. */
  write(...frames: RequestFrame[]): void {
    const encoded = frames.map((frame) => encodeFrame(frame, this.subprotocol))
    this.onMessage(joinFrames(encoded))
  }
}

const HEAD: RequestHead = {
  method: 'GET',
  path: '/v1/ws',
  query: new URLSearchParams(),
  host: '127.0.0.1:7401',
  origin: null,
  accept: null,
  remote: '127.0.0.1:50000',
  localPort: 7401,
}

export const requestHead = (more: Partial<RequestHead> = {}): RequestHead => ({ ...HEAD, ...more })

export const BODY = Uint8Array.from(encodeBody('hi'))

export function helloFrame(more: Partial<Extract<RequestFrame, { t: 'hello:R' }>> = {}) {
  return { t: 'hello:R', id: 0, v: [1, 1], device: 'd1', user: 'alice', ...more } as const
}

export function messageFrame(id: number, msgId = `m${id}`, more: { conv?: string } = {}) {
  return { t: 'msg:R', id, conv: 'c1', msgId, body: BODY, ...more } as const
}

export function event(seq: number, more: Partial<ConversationEvent> = {}): ConversationEvent {
  return {
    seq,
    kind: EventKind.message,
    ord: seq,
    msgId: `e${seq}`,
    from: 'bob',
    device: 'd9',
    at: 7,
    logTime: 5,
    body: BODY,
    replyTo: null,
    large: false,
    ...more,
  }
}

export function conversation(id: string, ...users: string[]): AppliedConversation {
  return { id, kind: 'group', forEachMember: (visit) => users.forEach((user) => visit(user)) }
}

export function view(id: string, ...users: string[]): ConversationView {
  const members = users.map((user) => ({ user, role: 'member' as const }))
  return { id, kind: 'group', name: null, meta: null, members, head: 3, ord: 2, createdAt: 1 }
}

export function fixture(
  options: Partial<GatewayOptions> = {},
  more: Partial<Pick<GatewayParts, 'origins' | 'random'>> = {},
) {
  const clock = new ManualClock()
  const backend = new FakeBackend()
  const logger = new RecordingLogger()
  const metrics = new MetricsRegistry()
  const gateway = new Gateway({
    backend,
    clock,
    random: steadyRandom,
    logger,
    metrics,
    options: { dev: true, ...options },
    onRequest: async () => ({ status: 200, contentType: 'text/plain', body: 'ok' }),
    ...more,
  })
  /** A connection nobody has said hello on. */
  const connect = (subprotocol?: Subprotocol, head?: Partial<RequestHead>): MemoryConnection => {
    const connection = new MemoryConnection(subprotocol, head)
    gateway.handlers.onConnection(connection)
    return connection
  }
  /** A session that was greeted; what it got for that is forgotten. */
  const open = async (
    user = 'alice',
    device = 'd1',
    hello: Partial<Extract<RequestFrame, { t: 'hello:R' }>> = {},
    subprotocol?: Subprotocol,
  ): Promise<MemoryConnection> => {
    const connection = connect(subprotocol)
    connection.write(helloFrame({ user, device, ...hello }))
    await clock.settle()
    connection.last('hello:A')
    connection.messages.length = 0
    connection.sizes.length = 0
    return connection
  }
  return { clock, backend, logger, metrics, gateway, connect, open }
}

export function errorOf(frame: ServerFrame): WireError {
  if (!('error' in frame)) throw new Error(`${frame.t} is no failure`)
  return frame.error
}
