import { toChatEvent, type ChatEvent } from './chat-event.ts'
import type { ConnectionStatus } from './connection.ts'
import type {
  ConversationChange,
  ConversationEventName,
  ConversationEvents,
  ConversationInfo,
  ConversationOwner,
  HistoryPage,
  Retention,
  SendOptions,
  Target,
} from './conversation.ts'
import { check, encode } from './checks.ts'
import { ClientCore, type CoreListener } from './core.ts'
import { DirectIds } from './direct-ids.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import type { Amendment, OutgoingMessage } from './outgoing-message.ts'
import type { ReceiptList } from './receipts.ts'
import { Receiving } from './receiving.ts'
import { Sender } from './sender.ts'
import type { Signal, SignalOptions } from './signals.ts'
import { TYPING, TypingSender, TypingUsers } from './typing.ts'
import { type ListedConversations, Streams, type Start } from './streams.ts'
import { decodeBody } from './protocol/body-codec.ts'
import type {
  AckNotice,
  BareNotice,
  ConversationAnswer,
  MessageNotice,
  PullAnswer,
  RequestFrame,
  WireConversation,
} from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'
import type { MessageDraft, Write, WriteAnswer } from './write.ts'
import { findInHistory } from './find-in-history.ts'

/** All conversations of one client: what the handles and the client itself are made of. */
export class Conversations implements ConversationOwner, CoreListener {
  readonly core: ClientCore
  readonly streams: Streams
  readonly sender: Sender
  readonly receiving: Receiving
  readonly #options: ResolvedOptions
  readonly #directIds = new DirectIds()
  /** Direct conversations being asked for, so that each is asked for once. */
  readonly #resolving = new Map<string, Promise<string>>()
  /** A `conversation` of `null` stands for all. */
  readonly #emitter: Emitter<{
    [Name in ConversationEventName]: {
      readonly conversation: string | null
      readonly event: ConversationEvents[Name]
    }
  }>
  readonly #onStatus: (status: ConnectionStatus) => void

  constructor(options: ResolvedOptions, onStatus: (status: ConnectionStatus) => void) {
    this.#options = options
    this.#onStatus = onStatus
    this.#emitter = new Emitter(options.ports.clock)
    this.core = new ClientCore(options, this)
    this.receiving = new Receiving(options, this.core, {
      countAfter: (conv, seq) => this.#countAfter(conv, seq),
      pull: (conv, after) =>
        this.#pull({ t: 'pull:R', conv, after, limit: LIMITS.pageEvents }, null),
      streams: () => this.streams,
      onEcho: (notice) => this.sender.echo(notice),
      onReceipt: (conv, kind, upTo, by) => {
        const at = options.ports.clock.wallMs()
        this.onReceipt({ t: 'ack:N', conv, kind, upTo, by, at })
      },
    })
    this.streams = new Streams(
      {
        ports: options.ports,
        pull: (conv, after, limit) => this.#pull({ t: 'pull:R', conv, after, limit }, null),
        onGap: (conversation, gap) => this.#emitter.emit('gap', { conversation, event: gap }),
        list: () => this.#list(null),
        head: async (conv) => (await this.#get(conv, null)).head,
        onEvent: (conv, event) => this.receiving.onEvent(conv, event),
        inboxHead: () => this.core.inbox.head,
        known: () => ({ heads: this.receiving.view.heads, isAll: this.core.inbox.namedAll }),
        caughtUp: () => this.core.inbox.caughtUp(),
        onHandled: (event) => this.receiving.onHandled(event),
      },
      this.core.journal,
      options.bufferedEvents,
    )
    this.sender = new Sender(options, this.core, this.#directIds, this.streams, (target) =>
      this.resolve(target),
    )
  }

  send(target: Target, body: unknown, options: SendOptions): OutgoingMessage {
    return this.sender.send(target, body, options)
  }

  amend(target: Target, amendment: Amendment): OutgoingMessage {
    const conv = this.knownId(target)
    if (conv !== null) return this.sender.amend(conv, amendment)
    throw new ChatError('INVALID_MESSAGE', 'nothing of this direct conversation is known yet')
  }

  outgoing(target: Target): readonly OutgoingMessage[] {
    const conv = this.knownId(target)
    return this.sender.list.all().flatMap(({ draft, message }) => {
      const to = 'to' in draft ? draft.to : undefined
      const isHere = to === undefined ? draft.conv === conv : to === this.#userOf(target)
      return isHere ? [message] : []
    })
  }

  unread(target: Target): number | null {
    const conv = this.knownId(target)
    return conv === null ? null : this.receiving.view.unreadOf(conv)
  }

  knownId(target: Target): string | null {
    return target.conv ?? this.#directIds.idOf(target.to)
  }

  resolve(target: Target): Promise<string> {
    const known = this.knownId(target)
    if (known !== null) return Promise.resolve(known)
    const user = target.to!
    let resolving = this.#resolving.get(user)
    if (resolving === undefined) {
      resolving = this.#makeDirect(user).finally(() => this.#resolving.delete(user))
      this.#resolving.set(user, resolving)
    }
    return resolving
  }

  stream<Event extends ChatEvent>(
    target: Target,
    start: Start,
    wanted: (event: ChatEvent) => event is Event,
  ): AsyncIterableIterator<Event> {
    if (typeof start === 'number' && !(Number.isSafeInteger(start) && start >= 0)) {
      throw new ChatError('INVALID_MESSAGE', 'after must be a seq: an integer of 0 or more')
    }
    return this.streams.one(this.resolve(target), start, wanted)
  }

  async history(conversation: string, before: number, limit: number): Promise<HistoryPage> {
    const frame = { t: 'pull:R', conv: conversation, before, limit } as const
    check(frame)
    const page = await this.#pull(frame, this.#options.readTimeoutMs)
    return {
      events: page.events.map((event) => toChatEvent(conversation, event)),
      gap: page.gap ?? null,
      hasMore: page.hasMore,
      upTo: Math.min(before - 1, page.upTo),
      next: async () => (page.hasMore ? this.history(conversation, page.next, limit) : EMPTY_PAGE),
    }
  }

  async info(conversation: string, membersFrom: number | undefined): Promise<ConversationInfo> {
    return toInfo(await this.#get(conversation, this.#options.readTimeoutMs, membersFrom))
  }

  async list(): Promise<readonly ConversationInfo[]> {
    return (await this.#list(this.#options.readTimeoutMs)).conversations.map(toInfo)
  }

  async change(conv: string, change: ConversationChange): Promise<ConversationInfo | null> {
    const msgId = this.sender.nextMsgId()
    const draft =
      change.op === 'set'
        ? {
            op: change.op,
            name: change.name,
            meta: change.meta === undefined ? undefined : encode(change.meta),
            retention: change.retention === undefined ? undefined : encode(change.retention),
            history: change.history,
          }
        : change
    const answer = await this.sender.write({ t: 'conv:R', conv, msgId, ...draft })
    return answer.conversation === undefined ? null : toInfo(answer.conversation)
  }

  async block(op: 'block' | 'unblock', user: string): Promise<void> {
    await this.sender.write({ t: 'conv:R', op, msgId: this.sender.nextMsgId(), user })
  }

  async createGroup(
    members: readonly string[],
    name: string | undefined,
    meta: unknown,
  ): Promise<string> {
    const answer = await this.sender.write({
      t: 'conv:R',
      op: 'create',
      msgId: this.sender.nextMsgId(),
      members,
      name,
      meta: meta === undefined ? undefined : encode(meta),
    })
    return conversationOf(answer).id
  }

  on<Name extends ConversationEventName>(
    target: Target,
    name: Name,
    listener: (event: ConversationEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, ({ conversation, event }) => {
      if (conversation === null || conversation === this.knownId(target)) listener(event)
    })
  }

  onNotice(notice: MessageNotice | BareNotice): void {
    this.receiving.notice(notice)
  }

  signal(target: Target, name: string, body: unknown, options: SignalOptions): Promise<boolean> {
    return this.core.signals.send(target, name, body, options)
  }

  onSignal(target: Target, listener: (signal: Signal) => void): () => void {
    return this.core.signals.on((signal) => {
      const { conversation, from } = signal
      const isHere =
        conversation === null
          ? from === this.#userOf(target)
          : conversation === this.knownId(target)
      if (isHere) listener(signal)
    })
  }

  onTyping(target: Target, listener: (users: readonly string[]) => void): () => void {
    const typing = new TypingUsers(this.#options.ports.clock, listener)
    const stop = this.onSignal(target, (signal) => {
      if (signal.name === TYPING) typing.receive(signal)
    })
    return () => {
      stop()
      typing.close()
    }
  }

  typing(target: Target): TypingSender {
    return new TypingSender(this.#options.ports.clock, (on) => {
      void this.signal(target, TYPING, { on }, {})
    })
  }

  async receipts(conversation: string, seq: number): Promise<ReceiptList> {
    const frame = { t: 'conv:R', op: 'receipts', conv: conversation, seq } as const
    check(frame)
    const answer = await this.core.reads.read(frame, this.#options.readTimeoutMs)
    const { receipts } = answer as ConversationAnswer
    if (receipts !== undefined) return { ...receipts, members: receipts.members ?? null }
    throw new ChatError('INTERNAL', 'the node left the receipts out of its answer')
  }

  onReceipt(notice: AckNotice): void {
    const { conv, kind, upTo, at } = notice
    const [by, count, seqs] = [notice.by ?? null, notice.count ?? null, notice.seqs ?? null]
    const event = { conversation: conv, kind, upTo, seqs, at, by, count }
    // What another device of one's own has says nothing about the others.
    if (by === null || by !== this.core.user) {
      this.core.waiting.acknowledged(event)
      this.sender.receipts.notice(event)
    } else if (kind === 'read') this.receiving.view.read(conv, upTo)
    this.#emitter.emit('receipt', { conversation: conv, event })
  }

  /** One's user has read everything up to `seq`. */
  markRead(target: Target, seq: number): void {
    if (!(Number.isSafeInteger(seq) && seq >= 1)) {
      throw new ChatError('INVALID_MESSAGE', 'markRead takes a message, or a seq of 1 or more')
    }
    this.resolve(target).then(
      (conv) => {
        this.receiving.view.read(conv, seq)
        this.core.acks.read(conv, seq)
      },
      // The client was closed before it knew the conversation.
      () => {},
    )
  }

  onLook(): void {
    this.streams.look()
  }

  onNewEpoch(epoch: string): void {
    this.streams.newEpoch()
    this.sender.receipts.forget()
    this.receiving.forget()
    this.#emitter.emit('discontinuity', { conversation: null, event: { epoch } })
  }

  onStatus(status: ConnectionStatus): void {
    if (status.state === 'closed') this.streams.close(status.error)
    this.#onStatus(status)
  }

  async findInHistory(write: Write): Promise<'resend' | 'unknown' | WriteAnswer> {
    const { draft } = write
    const { user } = this.core
    if (draft.t === 'conv:R' || user === null) return 'unknown'
    const conv = draft.conv ?? (await this.resolve({ conv: null, to: (draft as MessageDraft).to! }))
    return findInHistory(conv, user, draft.msgId, (before) =>
      this.#pull({ t: 'pull:R', conv, before, limit: 500 }, null),
    )
  }

  /** Exactly up to 1,000 of them, which is more than anybody counts. */
  async #countAfter(conv: string, after: number): Promise<number> {
    const { pageEvents } = LIMITS
    const page = await this.#pull({ t: 'pull:R', conv, after, limit: pageEvents }, null)
    const { user } = this.core
    return page.events.filter(({ kind, from }) => kind === 'message' && from !== user).length
  }

  #userOf({ conv, to }: Target): string | null {
    return to ?? this.#directIds.userOf(conv)
  }

  async #makeDirect(user: string): Promise<string> {
    const answer = await this.sender.write({
      t: 'conv:R',
      op: 'direct',
      msgId: this.sender.nextMsgId(),
      with: user,
    })
    const { id } = conversationOf(answer)
    this.#directIds.learn(user, id)
    return id
  }

  async #get(
    conv: string,
    timeoutMs: number | null,
    membersFrom?: number,
  ): Promise<WireConversation> {
    const frame = { t: 'conv:R', op: 'get', conv, membersFrom } as const
    check(frame)
    const answer = await this.core.reads.read(frame, timeoutMs)
    return conversationOf(answer as ConversationAnswer)
  }

  /** Page after page; of one that changes meanwhile and moves to the front events tell. */
  async #list(timeoutMs: number | null): Promise<ListedConversations> {
    const all = new Map<string, WireConversation>()
    const list = { t: 'conv:R', op: 'list', limit: LIMITS.pageEvents } as const
    for (let after: string | undefined; ;) {
      const answer = await this.core.reads.read({ ...list, after }, timeoutMs)
      const { conversations = [], next } = answer as ConversationAnswer
      for (const each of conversations) all.set(each.id, each)
      const isOnePage = after === undefined
      if (next === undefined) return { conversations: [...all.values()], isOnePage }
      after = next
    }
  }

  async #pull(
    frame: Omit<Extract<RequestFrame, { t: 'pull:R' }>, 'id'>,
    timeoutMs: number | null,
  ): Promise<PullAnswer> {
    return (await this.core.reads.read(frame, timeoutMs)) as PullAnswer
  }
}

function conversationOf(answer: ConversationAnswer): WireConversation {
  if (answer.conversation !== undefined) return answer.conversation
  throw new ChatError('INTERNAL', 'the node left the conversation out of its answer')
}

function toInfo(conversation: WireConversation): ConversationInfo {
  const { meta, retention, members } = conversation
  return {
    ...conversation,
    meta: meta === undefined ? undefined : decodeBody(meta),
    memberCount: conversation.memberCount ?? members.length,
    nextMembers: conversation.nextMembers ?? null,
    retention: retention === undefined ? null : (decodeBody(retention) as Retention | null),
    history: conversation.history ?? false,
    blocked: conversation.blocked ?? false,
    large: conversation.large ?? false,
  }
}

const EMPTY_PAGE: HistoryPage = {
  events: [],
  gap: null,
  hasMore: false,
  upTo: 0,
  next: async () => EMPTY_PAGE,
}
