import type { Socket } from '../ports.ts'
import { encodeBody } from '../protocol/body-codec.ts'
import { decodeFrames, encodeFrame, type Subprotocol } from '../protocol/codec.ts'
import { wireError, type ErrorCode, type WireError } from '../protocol/error-codes.ts'
import {
  type AckRequest,
  type CancelRequest,
  type ConversationRequest,
  type EditRequest,
  type HelloRequest,
  type MessageAnswer,
  type MessageRequest,
  type PullRequest,
  type ReactRequest,
  type RecallRequest,
  type RequestFrame,
  type ServerFrame,
  type WireEvent,
} from '../protocol/frames.ts'
import { ProtocolError } from '../protocol/protocol-error.ts'
import { directId, fail, set, view, type StoredConversation } from './fake-conversation.ts'
import { FakeInbox } from './fake-inbox.ts'
import { pullPage } from './fake-page.ts'
import { FakeReceipts } from './fake-receipts.ts'
import type { SeededRandom, VirtualClock } from './virtual-clock.ts'

export interface FakeSession {
  readonly node: string
  readonly socket: Socket
  readonly subprotocol: Subprotocol
  user: string
  device: string
  hello: HelloRequest | null
  isOpen: boolean
}

/** What to do with a request instead of serving it. */
export type Fault = 'drop' | 'dropAnswer' | 'close' | WireError

/**
 * A cluster in memory that keeps the rules a client relies on: once per msgId (A2), `prev` (A4),
 * one gapless stream per conversation (B1). Tests break it through `fault`, `down` and `silent`.
 */
export class FakeCluster {
  readonly clock: VirtualClock
  readonly #random: SeededRandom
  readonly nodes = ['n1', 'n2', 'n3']
  readonly conversations = new Map<string, StoredConversation>()
  readonly sessions: FakeSession[] = []
  /** Every request that reached a node, in order. */
  readonly requests: { node: string; frame: RequestFrame }[] = []
  /** Final results by user, conversation and msgId. */
  readonly #results = new Map<string, ServerFrame>()
  readonly #bodies = new Map<string, string>()
  leader: string | null = 'n1'
  epoch = 'epoch-1'
  logTime = 5_000_000
  heartbeatMs = 10_000
  spreadMs = 4000
  inflight = 1000
  latencyMs = 1
  /** Nodes that refuse connections. */
  readonly down = new Set<string>()
  /** Nodes that are in reach of clients and of no other node. */
  readonly cutOff = new Set<string>()
  /** Nodes that take everything and answer nothing. */
  readonly silent = new Set<string>()
  fault: (frame: RequestFrame, node: string) => Fault | null = () => null
  /** What a node pushes: the event, a bare notify, or nothing. */
  push: 'event' | 'notify' | 'none' = 'event'
  readonly receipts: FakeReceipts
  /** Numbered inboxes; without, every user's numbers are taken for exhausted. */
  readonly inbox = new FakeInbox({
    ofUser: (user) => [...this.conversations.values()].filter(({ members }) => members.has(user)),
  })
  hasInboxes = false
  /** The number that the sender of the last message got for it. */
  ownInbox: number | null = null
  /** Seqs up to which history is gone, by conversation. */
  readonly gapUpTo = new Map<string, number>()

  constructor(clock: VirtualClock, random: SeededRandom) {
    this.clock = clock
    this.#random = random
    this.receipts = new FakeReceipts(clock, this.sessions, (session, frame) =>
      this.#send(session, frame),
    )
  }

  get urls(): string[] {
    return this.nodes.map((node) => this.#url(node))
  }

  group(id: string, ...members: string[]): StoredConversation {
    const created: StoredConversation = {
      id,
      kind: id.startsWith('d_') ? 'direct' : 'group',
      members: new Set(members),
      events: [],
      name: null,
      receipts: new Map(),
    }
    this.conversations.set(id, created)
    return created
  }

  /** Somebody else's message. */
  post(conv: string, from: string, body: Uint8Array): WireEvent {
    const conversation = this.conversations.get(conv)!
    const msgId = `${from}-${conversation.events.length + 1}`
    return this.#append(conversation, msgId, from, 'other', body, null)
  }

  bodies(conv: string): unknown[] {
    return this.conversations.get(conv)!.events.map((event) => event.msgId)
  }

  /** Comes back from a backup: of each conversation only the first `upTo` events are left. */
  restore(epoch: string, upTo: number): void {
    this.epoch = epoch
    for (const { events } of this.conversations.values()) events.splice(upTo)
    this.inbox.restore(upTo)
    this.disconnect()
  }

  /** Ends all sessions, or those of one node. */
  disconnect(node?: string): void {
    for (const session of [...this.sessions]) {
      if (node === undefined || session.node === node) this.#end(session, 1006)
    }
  }

  /** Sends a notice to every session. */
  broadcast(frame: ServerFrame): void {
    for (const session of this.sessions) this.#send(session, frame)
  }

  closeAll(code: number): void {
    for (const session of [...this.sessions]) this.#end(session, code)
  }

  readonly openSocket = (url: string, subprotocol: string): Socket => {
    const node = this.nodes.find((each) => url.startsWith(this.#url(each).replace('http', 'ws')))
    const socket: Socket = {
      send: (data) => {
        this.clock.after(this.latencyMs, () => this.#receive(session, data))
      },
      // What was sent before arrives before.
      close: () => {
        this.clock.after(this.latencyMs, () => this.#end(session, 1000))
      },
      onOpen: () => {},
      onMessage: () => {},
      onClose: () => {},
    }
    const session: FakeSession = {
      node: node ?? '?',
      socket,
      subprotocol: subprotocol as Subprotocol,
      user: '',
      device: '',
      hello: null,
      isOpen: true,
    }
    this.clock.after(this.latencyMs, () => {
      if (!session.isOpen) return
      if (node === undefined || this.down.has(node)) {
        session.isOpen = false
        socket.onClose(1006, 'connection refused')
      } else if (!this.silent.has(node)) {
        this.sessions.push(session)
        socket.onOpen()
      }
    })
    return socket
  }

  #url(node: string): string {
    return `http://${node}.test:7400`
  }

  #end(session: FakeSession, code: number): void {
    if (!session.isOpen) return
    session.isOpen = false
    const index = this.sessions.indexOf(session)
    if (index !== -1) this.sessions.splice(index, 1)
    this.clock.after(this.latencyMs, () => session.socket.onClose(code, ''))
  }

  #send(session: FakeSession, frame: ServerFrame): void {
    const marked = { ...frame, mark: `${this.epoch}:${this.logTime}` } as ServerFrame
    const data = encodeFrame(marked, session.subprotocol)
    this.clock.after(this.latencyMs, () => {
      if (session.isOpen && !this.silent.has(session.node)) session.socket.onMessage(data)
    })
  }

  #receive(session: FakeSession, data: Uint8Array | string): void {
    if (!session.isOpen || this.silent.has(session.node)) return
    for (const frame of decodeFrames(data, session.subprotocol, 'toServer')) {
      if (frame instanceof ProtocolError) throw frame
      this.requests.push({ node: session.node, frame })
      const fault = this.fault(frame, session.node)
      if (fault === 'drop') continue
      if (fault === 'close') return this.#end(session, 1006)
      const answer =
        fault === null || fault === 'dropAnswer' ? this.#serve(session, frame) : fail(frame, fault)
      if (fault !== 'dropAnswer') this.#send(session, answer)
    }
  }

  #serve(session: FakeSession, frame: RequestFrame): ServerFrame {
    this.logTime++
    switch (frame.t) {
      case 'hello:R':
        return this.#hello(session, frame)
      case 'msg:R':
        return this.#message(session, frame)
      case 'conv:R':
        return this.#conversation(session, frame)
      case 'pull:R':
        return this.#pull(session, frame)
      case 'ack:R':
        return this.#acknowledge(session, frame)
      case 'sync:R':
        if (!this.hasInboxes) return fail(frame, wireError('UNSUPPORTED', frame.t))
        return this.inbox.sync(session, frame)
      case 'signal:R':
        return this.receipts.signal(session, frame, this.conversations)
      case 'edit:R':
      case 'recall:R':
      case 'react:R':
        return this.#amend(session, frame)
      case 'cancel:R':
        return this.#cancel(session, frame)
      case 'ping:R':
        if (this.hasInboxes) return this.inbox.ping(session, frame, this.logTime)
        return { t: 'ping:A', id: frame.id, now: this.logTime }
    }
  }

  #hello(session: FakeSession, frame: HelloRequest): ServerFrame {
    session.user = frame.user ?? frame.token!
    session.device = frame.device
    session.hello = frame
    this.inbox.greet(session)
    const address = (id: string) => ({ id, url: this.#url(id) })
    const isCutOff = this.cutOff.has(session.node)
    return {
      t: 'hello:A',
      id: frame.id,
      v: 1,
      features: [],
      user: session.user,
      device: frame.device,
      node: session.node,
      leader: this.leader === null || isCutOff ? null : address(this.leader),
      nodes: this.nodes.map(address),
      epoch: this.epoch,
      now: this.logTime,
      inbox: this.hasInboxes ? this.inbox.head(session.user) : null,
      heartbeatMs: this.heartbeatMs,
      spreadMs: this.spreadMs,
      limits: {
        bodyBytes: 65_536,
        messageBytes: 1_048_576,
        framesPerMessage: 1024,
        inflight: this.inflight,
        pageEvents: 1000,
        members: 1000,
      },
    }
  }

  #message(session: FakeSession, frame: MessageRequest): ServerFrame {
    const conv = frame.conv ?? directId(session.user, frame.to!)
    if (frame.to !== undefined && !this.conversations.has(conv)) {
      this.group(conv, session.user, frame.to)
    }
    const answer = this.#once(session, frame, conv, () => {
      const conversation = this.conversations.get(conv)
      if (conversation === undefined) return fail(frame, wireError('GROUP_NOT_FOUND', 'none'))
      if (!conversation.members.has(session.user)) return fail(frame, wireError('NOT_MEMBER', 'no'))
      const { seq, at, ord } = this.#append(
        conversation,
        frame.msgId,
        session.user,
        session.device,
        frame.body,
        session,
        frame.replyTo,
      )
      const { id, msgId } = frame
      const place = { msgId, conv, seq, at, ord, inbox: this.ownInbox }
      return { t: 'msg:A', id, ...place, duplicate: false, now: this.logTime }
    })
    if (!('seq' in answer)) return answer
    const { seq, duplicate } = answer as MessageAnswer
    const conversation = this.conversations.get(conv)!
    if (duplicate) {
      this.receipts.tellAgain(session, conversation)
      this.#push(conversation, conversation.events[seq - 1]!, session, new Map())
    }
    this.receipts.accepted(session, conversation, seq)
    return answer
  }

  /** Rules A2 and A4. */
  #once(
    session: FakeSession,
    frame: Exclude<Extract<RequestFrame, { msgId: string }>, CancelRequest>,
    conv: string,
    apply: () => ServerFrame,
  ): ServerFrame {
    const key = (msgId: string): string => `${session.user} ${conv} ${msgId}`
    const body = 'body' in frame ? Array.from(frame.body).join() : ''
    const first = this.#results.get(key(frame.msgId))
    if (first !== undefined) {
      if ((this.#bodies.get(key(frame.msgId)) ?? body) !== body) {
        return fail(frame, wireError('PAYLOAD_MISMATCH', 'another body'))
      }
      return {
        ...first,
        id: frame.id,
        ...('error' in first ? {} : { duplicate: true }),
      } as ServerFrame
    }
    if (frame.prev !== undefined && !this.#results.has(key(frame.prev))) {
      return fail(frame, wireError('OUT_OF_ORDER', `${frame.prev} has no result`))
    }
    const result = apply()
    this.#results.set(key(frame.msgId), result)
    this.#bodies.set(key(frame.msgId), body)
    return result
  }

  #append(
    conversation: StoredConversation,
    msgId: string,
    from: string,
    device: string,
    body: Uint8Array,
    sender: FakeSession | null,
    replyTo?: number,
    more: Partial<WireEvent> = {},
  ): WireEvent {
    const seq = conversation.events.length + 1
    const at = this.clock.wallMs()
    const event: WireEvent = {
      seq,
      kind: 'message',
      ord: seq,
      msgId,
      from,
      device,
      at,
      body: Uint8Array.from(body),
      replyTo,
      ...more,
    }
    conversation.events.push(event)
    const { id: conv } = conversation
    const numbers = new Map<string, number | null>()
    if (this.hasInboxes) {
      for (const user of conversation.members) numbers.set(user, this.inbox.add(user, conv, event))
    }
    this.ownInbox = sender === null ? null : (numbers.get(sender.user) ?? null)
    this.#push(conversation, event, sender, numbers)
    return event
  }

  /** @param numbers those of the event in its members' inboxes; without, it is told again. */
  #push(
    { id: conv, members }: StoredConversation,
    event: WireEvent,
    sender: FakeSession | null,
    numbers: ReadonlyMap<string, number | null>,
  ): void {
    const { seq } = event
    for (const session of this.sessions) {
      if (!members.has(session.user)) continue
      const inbox = numbers.get(session.user) ?? null
      if (session === sender) this.inbox.passes(session, inbox)
      if (session === sender || this.push === 'none') continue
      const isWhole = this.push === 'event' && this.inbox.passes(session, inbox)
      const frame = isWhole
        ? { t: 'msg:N', conv, ...event, inbox }
        : { t: 'msg:N', conv, seq, inbox }
      this.#send(session, frame as ServerFrame)
    }
  }

  #conversation(session: FakeSession, frame: ConversationRequest): ServerFrame {
    const { id } = frame
    if (frame.op === 'list') {
      const mine = [...this.conversations.values()].filter((c) => c.members.has(session.user))
      return { t: 'conv:A', id, conversations: mine.map((one) => view(one)) }
    }
    if (frame.op === 'receipts') return fail(frame, wireError('UNSUPPORTED', 'receipts'))
    if (frame.op === 'get') {
      const conversation = this.conversations.get(frame.conv)
      if (conversation === undefined) return fail(frame, wireError('GROUP_NOT_FOUND', 'none'))
      return { t: 'conv:A', id, conversation: view(conversation, frame.membersFrom) }
    }
    let conv: string
    if (frame.op === 'create') conv = `g_${session.user}_${frame.msgId}`
    else if (frame.op === 'direct') conv = directId(session.user, frame.with)
    else if (frame.op === 'block' || frame.op === 'unblock') {
      conv = directId(session.user, frame.user)
    } else conv = frame.conv
    return this.#once(session, frame, frame.op === 'direct' ? session.user : conv, () => {
      const conversation =
        this.conversations.get(conv) ??
        this.group(
          conv,
          session.user,
          ...(frame.op === 'create' ? frame.members : frame.op === 'direct' ? [frame.with] : []),
        )
      if (frame.op === 'add') conversation.members.add(frame.user)
      if (frame.op === 'remove') conversation.members.delete(frame.user)
      if (frame.op === 'leave') conversation.members.delete(session.user)
      if (frame.op === 'create') conversation.name = frame.name ?? null
      if (frame.op === 'set') set(conversation, frame)
      if (frame.op === 'block') conversation.blocked = true
      if (frame.op === 'unblock') conversation.blocked = false
      return {
        t: 'conv:A',
        id,
        conversation: conversation.members.has(session.user) ? view(conversation) : undefined,
        msgId: frame.msgId,
        seq: conversation.events.length,
        duplicate: false,
        now: this.logTime,
      }
    })
  }

  #acknowledge(session: FakeSession, frame: AckRequest): ServerFrame {
    for (const ack of frame.acks) {
      const conversation = this.conversations.get(ack.conv)
      if (conversation === undefined || !conversation.members.has(session.user)) {
        return fail(frame, wireError('NOT_MEMBER', `no member of ${ack.conv}`))
      }
      this.receipts.acknowledge(session, conversation, ack)
    }
    return { t: 'ack:A', id: frame.id }
  }

  /** Only that it is an event of its own: what becomes of its target is not looked at here. */
  #amend(session: FakeSession, frame: EditRequest | RecallRequest | ReactRequest): ServerFrame {
    const { id, msgId, conv } = frame
    return this.#once(session, frame, conv, () => {
      const conversation = this.conversations.get(conv)
      if (conversation === undefined) return fail(frame, wireError('GROUP_NOT_FOUND', 'none'))
      const kind = ({ 'edit:R': 'edit', 'recall:R': 'recall', 'react:R': 'reaction' } as const)[
        frame.t
      ]
      const body = 'body' in frame ? frame.body : encodeBody(null)
      const more = { kind, target: frame.seq }
      const { user, device } = session
      const event = this.#append(conversation, msgId, user, device, body, session, undefined, more)
      const { seq, at, ord } = event
      return { t: 'msg:A', id, msgId, conv, seq, at, ord, duplicate: false, now: this.logTime }
    })
  }

  /** Recorded like a refusal, unless a result is there. */
  #cancel(session: FakeSession, frame: CancelRequest): ServerFrame {
    const { id, conv, msgId } = frame
    const key = `${session.user} ${conv} ${msgId}`
    const first = this.#results.get(key)
    if (first !== undefined && 'seq' in first) {
      const { seq, at } = first as MessageAnswer
      return { t: 'cancel:A', id, seq, at }
    }
    const error = wireError('CANCELLED', 'told to')
    this.#results.set(key, { t: 'msg:A', id, error })
    return { t: 'cancel:A', id, cancelled: true }
  }

  #pull(session: FakeSession, frame: PullRequest): ServerFrame {
    const conversation = this.conversations.get(frame.conv)
    if (conversation === undefined) return fail(frame, wireError('GROUP_NOT_FOUND', 'none'))
    if (!conversation.members.has(session.user)) return fail(frame, wireError('NOT_MEMBER', 'no'))
    return pullPage(conversation.events, frame, this.gapUpTo.get(frame.conv) ?? 0)
  }

  /** A retryable or final refusal, for `fault`. */
  static error(code: ErrorCode, retryAfterMs?: number): WireError {
    return wireError(code, `told to: ${code}`, { retryAfterMs })
  }

  /** A number below `limit` from the cluster's own seed. */
  pick(limit: number): number {
    return this.#random.uint32() % limit
  }
}
