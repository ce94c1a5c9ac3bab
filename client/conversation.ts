import { isMessage, type ChatEvent, type ChatMessage } from './chat-event.ts'
import type { Amendment, OutgoingMessage } from './outgoing-message.ts'
import type { Receipt, ReceiptList } from './receipts.ts'
import type { Signal, SignalOptions } from './signals.ts'
import type { Start } from './streams.ts'
import type { TypingSender } from './typing.ts'
import type { Gap, Role, WireMember } from './protocol/frames.ts'

/** A conversation as its members see it. */
export interface ConversationInfo {
  /** Given by the cluster, never used again. */
  readonly id: string
  readonly kind: 'direct' | 'group'
  /** `null`: it has none. */
  readonly name: string | null
  /** The application's own, up to 16 KiB as msgpack. */
  readonly meta: unknown
  /** All of them; of a large group some hundred, in a list none of it. */
  readonly members: readonly WireMember[]
  readonly memberCount: number
  /** There are more members: `info({membersFrom})` with this number has the next ones. */
  readonly nextMembers: number | null
  /** The newest seq, 0 before the first event. */
  readonly head: number
  /** Messages so far. */
  readonly ord: number
  /** Wall time in ms. */
  readonly createdAt: number
  /** `null`: everything is kept. */
  readonly retention: Retention | null
  /** Who joins sees what was there before. */
  readonly history: boolean
  /** This user blocks the other side of this direct conversation. */
  readonly blocked: boolean
  /** Of hundreds of members: receipts of others come as counts, and it carries no signals. */
  readonly large: boolean
}

/** What is kept of a conversation: whatever is past one of the bounds that are given goes. */
export interface Retention {
  /** By the time at which the cluster ordered it. */
  readonly maxAgeMs?: number | undefined
  /** Messages. */
  readonly maxCount?: number | undefined
  /** Of the bodies of one sender. */
  readonly maxBytes?: number | undefined
  /** 30 days, 1,000 messages, 100 MB; the others override it. */
  readonly preset?: 'paper' | undefined
}

/** What is left out stays; `null` takes it away. */
export interface ConversationSettings {
  readonly name?: string | null | undefined
  readonly meta?: unknown
  readonly retention?: Retention | null | undefined
  /** Whether those who join from then on see what was there before. */
  readonly history?: boolean | undefined
}

/** What a message may have beside its body. */
export interface SendOptions {
  /** The message this one answers, or its seq. It can never come before it. */
  readonly replyTo?: number | { readonly seq: number } | undefined
  /** Retention removes it first. */
  readonly large?: boolean | undefined
  /** An id of one's own, to resend over process restarts. @default a new one */
  readonly msgId?: string | undefined
}

/** Where a stream begins. */
export interface StreamOptions {
  /** Seq to go on after, or `'cursor'`: see `Conversation.messages`. @default now */
  readonly after?: number | 'cursor' | undefined
}

/** Ascending by seq. */
export interface HistoryPage {
  readonly events: readonly ChatEvent[]
  /** Seqs of this page that this user never gets, and why. */
  readonly gap: Gap | null
  /** Whether there is something older. */
  readonly hasMore: boolean
  /** Where the page ends: `messages({after: upTo})` goes on from it without a hole. */
  readonly upTo: number
  /** The page before this one; empty when `hasMore` is false. */
  next(): Promise<HistoryPage>
}

/** What `Conversation.on` tells, beside the events of the conversation itself. */
export interface ConversationEvents {
  /** Seqs that this user never gets, passed over by a running `messages()` or `events()`. */
  readonly gap: Gap
  /** The cluster was restored from a backup: what was shown before may not be its history. */
  readonly discontinuity: { readonly epoch: string }
  /** A member, or another device of one's own, has more of the conversation. */
  readonly receipt: Receipt
}

export type ConversationEventName = keyof ConversationEvents

/** What a conversation is to; with `to` its id is learned when it is first needed. */
export type Target =
  { readonly conv: string; readonly to: null } | { readonly conv: null; readonly to: string }

/** What a conversation asks of its client. */
export interface ConversationOwner {
  send(target: Target, body: unknown, options: SendOptions): OutgoingMessage
  amend(target: Target, amendment: Amendment): OutgoingMessage
  outgoing(target: Target): readonly OutgoingMessage[]
  unread(target: Target): number | null
  /** The id, made known by the cluster if need be. */
  resolve(target: Target): Promise<string>
  knownId(target: Target): string | null
  stream<Event extends ChatEvent>(
    target: Target,
    start: Start,
    wanted: (event: ChatEvent) => event is Event,
  ): AsyncIterableIterator<Event>
  history(conversation: string, before: number, limit: number): Promise<HistoryPage>
  info(conversation: string, membersFrom: number | undefined): Promise<ConversationInfo>
  change(conversation: string, change: ConversationChange): Promise<ConversationInfo | null>
  markRead(target: Target, seq: number): void
  receipts(conversation: string, seq: number): Promise<ReceiptList>
  signal(target: Target, name: string, body: unknown, options: SignalOptions): Promise<boolean>
  onSignal(target: Target, listener: (signal: Signal) => void): () => void
  typing(target: Target): TypingSender
  onTyping(target: Target, listener: (users: readonly string[]) => void): () => void
  on<Name extends ConversationEventName>(
    target: Target,
    name: Name,
    listener: (event: ConversationEvents[Name]) => void,
  ): () => void
}

/** What a member may change about a conversation. */
export type ConversationChange =
  | { readonly op: 'add'; readonly user: string; readonly role?: 'admin' | 'member' | undefined }
  | { readonly op: 'remove'; readonly user: string }
  | { readonly op: 'role'; readonly user: string; readonly role: Role }
  | { readonly op: 'leave' }
  | (ConversationSettings & { readonly op: 'set' })

/**
 * One conversation. A light handle: make as many as you like, they share everything. Methods that
 * return a promise reject with `ChatError`: a verdict such as `NOT_MEMBER` or `FORBIDDEN`, `TIMEOUT`
 * for reads, `CLOSED`.
 */
export class Conversation {
  readonly #owner: ConversationOwner
  readonly #target: Target
  #typing: TypingSender | null = null

  /** @internal Made by `ChatClient`. */
  constructor(owner: ConversationOwner, target: Target) {
    this.#owner = owner
    this.#target = target
  }

  /** `null` for a direct conversation whose id was not needed yet. */
  get id(): string | null {
    return this.#owner.knownId(this.#target)
  }

  /** The other side if this was made by `chat.direct(user)`. */
  get user(): string | null {
    return this.#target.to
  }

  /**
   * Puts a message into the outbox and returns at once. Messages of this device to this
   * conversation are stored in the order of these calls, each exactly once.
   * @param body JSON's data model plus `Uint8Array`; up to 64 KiB encoded.
   * @throws ChatError INVALID_MESSAGE, PAYLOAD_TOO_LARGE, OUTBOX_FULL, CLOSED: then nothing was sent.
   */
  send(body: unknown, options: SendOptions = {}): OutgoingMessage {
    return this.#owner.send(this.#target, body, options)
  }

  /**
   * Own messages, edits, recalls and reactions that the cluster has not confirmed, oldest first:
   * what a view of the conversation shows below its history, from `send` on. They are `pending`, or
   * `failed` with an unknown outcome.
   */
  get outgoing(): readonly OutgoingMessage[] {
    return this.#owner.outgoing(this.#target)
  }

  /**
   * Messages of others behind the last that this user has read, on any device; `null` while this
   * device has heard nothing of the conversation. `chat.sync` tells when it changes.
   */
  get unread(): number | null {
    return this.#owner.unread(this.#target)
  }

  /**
   * Gives a message of one's own another body. Like `send` it returns at once, is stored once, in
   * order, and survives the process; the edit is an event of its own.
   * @param target the message, or its seq.
   * @throws ChatError as `send`, and INVALID_MESSAGE if nothing of this direct conversation was sent
   *   or read yet.
   */
  edit(target: number | { readonly seq: number }, body: unknown): OutgoingMessage {
    return this.#amend({ kind: 'edit', seq: seqOf(target), body })
  }

  /** Takes a message's body away from everyone. @throws ChatError as `edit`. */
  recall(target: number | { readonly seq: number }): OutgoingMessage {
    return this.#amend({ kind: 'recall', seq: seqOf(target) })
  }

  /**
   * Adds a reaction, or takes it away again.
   * @param reaction up to 64 bytes, an emoji for example. @param on @default true
   * @throws ChatError as `edit`.
   */
  react(target: number | { readonly seq: number }, reaction: string, on = true): OutgoingMessage {
    return this.#amend({ kind: 'reaction', seq: seqOf(target), reaction, on })
  }

  /**
   * Messages in order, without holes, each once, the own ones included; what is missed is fetched.
   * It can be iterated once, and ends when the client is closed. A slow reader holds up only itself.
   * @param options.after seq to go on after; 0 begins with the first. `'cursor'` goes on after the
   *   last one that this device acknowledged by asking for the next, the first time with the first;
   *   what it had in hand when it ended comes again as `redelivered`. One stream at a time moves a
   *   cursor, and keeps it in the store. The default begins now:
   *   with what this device had not heard of when this was called, however late a node is reached; of
   *   a conversation that it had heard nothing of, with what comes after its first contact with a
   *   node from then on.
   */
  messages(options: StreamOptions = {}): AsyncIterableIterator<ChatMessage> {
    return this.#owner.stream(this.#target, options.after ?? 'now', isMessage)
  }

  /** Like `messages`, with every kind of event: members joining, settings changed. */
  events(options: StreamOptions = {}): AsyncIterableIterator<ChatEvent> {
    const any = (event: ChatEvent): event is ChatEvent => event.seq > 0
    return this.#owner.stream(this.#target, options.after ?? 'now', any)
  }

  /**
   * A page of what was there before `before`, complete or an error.
   * @param options.before seq; the default is the newest end.
   * @param options.limit 1 to 1000. @default 50
   */
  async history(
    options: { before?: number | undefined; limit?: number | undefined } = {},
  ): Promise<HistoryPage> {
    const id = await this.#owner.resolve(this.#target)
    return this.#owner.history(id, options.before ?? Number.MAX_SAFE_INTEGER, options.limit ?? 50)
  }

  /**
   * As it is now, members included.
   * @param options.membersFrom of a large group its members from there on: `nextMembers` of the last.
   */
  async info(options: { membersFrom?: number | undefined } = {}): Promise<ConversationInfo> {
    return this.#owner.info(await this.#owner.resolve(this.#target), options.membersFrom)
  }

  /** Takes a user in. @param role @default 'member' */
  add(user: string, role?: 'admin' | 'member'): Promise<ConversationInfo | null> {
    return this.#change({ op: 'add', user, role })
  }

  /** Who is removed keeps what was shown until then, and gets nothing more. */
  remove(user: string): Promise<ConversationInfo | null> {
    return this.#change({ op: 'remove', user })
  }

  /** The role decides who may change members and settings. */
  setRole(user: string, role: Role): Promise<ConversationInfo | null> {
    return this.#change({ op: 'role', user, role })
  }

  /** Resolves with `null`: who has left sees the conversation no more. */
  leave(): Promise<ConversationInfo | null> {
    return this.#change({ op: 'leave' })
  }

  /** Of a group; of a direct conversation `retention` alone. */
  set(change: ConversationSettings): Promise<ConversationInfo | null> {
    return this.#change({ op: 'set', ...change })
  }

  /**
   * Tells the others, and one's other devices, that everything up to this message was read. Sent
   * together with other receipts, and again until the cluster has it, as long as the client lives.
   * @param upTo a message, or a seq.
   * @throws ChatError INVALID_MESSAGE for what is no seq.
   */
  markRead(upTo: number | { readonly seq: number }): void {
    this.#owner.markRead(this.#target, seqOf(upTo))
  }

  /** Who has a message and who has read it: of each member, or only how many in a large group. */
  async receipts(target: number | { readonly seq: number }): Promise<ReceiptList> {
    return this.#owner.receipts(await this.#owner.resolve(this.#target), seqOf(target))
  }

  /**
   * Sends something of the moment to whoever is connected now: at most once, never stored. Resolves
   * with whether a node took it; false while there is no session. Of one device they arrive in order.
   * @param body as of `send`, but small: the node's limit is a few KiB.
   * @throws ChatError INVALID_MESSAGE at once; a rejection is a verdict, such as NOT_MEMBER.
   */
  signal(name: string, body: unknown, options: SignalOptions = {}): Promise<boolean> {
    return this.#owner.signal(this.#target, name, body, options)
  }

  /** Calls `listener` at every signal of that name. Returns what takes it off again. */
  onSignal(name: string, listener: (signal: Signal) => void): () => void {
    return this.#owner.onSignal(this.#target, (signal) => {
      if (signal.name === name) listener(signal)
    })
  }

  /** Call it at every key: tells the others at most every three seconds. `false` when done. */
  typing(on = true): void {
    this.#typing ??= this.#owner.typing(this.#target)
    this.#typing.set(on)
  }

  /** Tells who types, at every change; who says nothing for nine seconds is taken off. */
  onTyping(listener: (users: readonly string[]) => void): () => void {
    return this.#owner.onTyping(this.#target, listener)
  }

  /** Returns what takes the listener off again. */
  on<Name extends ConversationEventName>(
    name: Name,
    listener: (event: ConversationEvents[Name]) => void,
  ): () => void {
    return this.#owner.on(this.#target, name, listener)
  }

  #amend(amendment: Amendment): OutgoingMessage {
    return this.#owner.amend(this.#target, amendment)
  }

  async #change(change: ConversationChange): Promise<ConversationInfo | null> {
    return this.#owner.change(await this.#owner.resolve(this.#target), change)
  }
}

const seqOf = (target: number | { readonly seq: number }): number =>
  typeof target === 'number' ? target : target.seq
