import { isMessage, type ChatMessage } from './chat-event.ts'
import { check } from './checks.ts'
import type { ConnectionStatus } from './connection.ts'
import { Conversation, type ConversationInfo } from './conversation.ts'
import { Conversations } from './conversations.ts'
import { ChatError } from './errors.ts'
import { resolveOptions, type ChatOptions, type ResolvedOptions } from './options.ts'
import { OutboxView } from './outbox-view.ts'
import type { OutgoingMessage } from './outgoing-message.ts'
import type { Timer } from './ports.ts'
import type { SyncView } from './sync-view.ts'
import { StatusLog } from './status-log.ts'

/** What `chat.createGroup` takes. */
export interface GroupOptions {
  /** Besides oneself; up to 1,000. */
  readonly members: readonly string[]
  readonly name?: string | undefined
  /** Any value, kept with the conversation; up to 16 KiB encoded. */
  readonly meta?: unknown
}

/**
 * A user's device in the cluster. It keeps a session with some node, moves to another when that
 * dies, sends what was not sent and fetches what was missed; nothing needs to be listened to for
 * that. Whoever made it closes it.
 */
export class ChatClient {
  readonly #options: ResolvedOptions
  readonly #conversations: Conversations
  readonly #statusLog: StatusLog
  /** Own messages that the cluster has not confirmed. */
  readonly outbox: OutboxView
  /** Waits for the first session. */
  #firstSession: ((status: ConnectionStatus) => void) | null = null
  #restored: readonly OutgoingMessage[] = []
  readonly #closed: Promise<void>

  private constructor(options: ResolvedOptions) {
    this.#options = options
    let isClosed: () => void = () => {}
    this.#closed = new Promise((resolve) => (isClosed = resolve))
    this.#conversations = new Conversations(options, (status) => {
      this.#statusLog.add(status)
      this.#firstSession?.(status)
      if (status.state === 'closed') {
        void this.#conversations.core.journal.close().then(isClosed)
      }
    })
    this.outbox = new OutboxView(this.#conversations.core, this.#conversations.sender)
    this.#statusLog = new StatusLog(this.#conversations.core.connection.status)
  }

  /**
   * Connects to some node of the cluster. Messages that an earlier client left in `store` go out
   * again, under their old ids.
   * @throws ChatError TIMEOUT if no session stands after `connectTimeoutMs`; the verdict of a node
   *   that refuses for good, such as AUTHENTICATION_FAILED; INVALID_MESSAGE for a wrong option;
   *   STORE_LOCKED, STORE_MISMATCH, STORE_DAMAGED, STORE_FAILED for a store that cannot be used.
   */
  static async connect(options: ChatOptions): Promise<ChatClient> {
    const resolved = resolveOptions(options)
    const client = new ChatClient(resolved)
    const { core, sender } = client.#conversations
    const { messages } = await core.open()
    client.#restored = messages.flatMap((each) => sender.restore(each) ?? [])
    const { connection, started } = client.#starting()
    connection.start()
    await started
    return client
  }

  /** The user that the node took this client for; `null` before the first session. */
  get user(): string | null {
    return this.#conversations.core.user
  }

  get device(): string {
    return this.#options.device
  }

  /** How far this device has come with all its user's conversations, and what is unread in each. */
  get sync(): SyncView {
    return this.#conversations.receiving.view
  }

  /** How it stands with the cluster. */
  get state(): ConnectionStatus {
    return this.#conversations.core.connection.status
  }

  /** Writes without a final answer. */
  get pending(): number {
    return this.#conversations.core.outbox.size
  }

  /** What was found in the store when this client began, oldest first. */
  get restored(): readonly OutgoingMessage[] {
    return this.#restored
  }

  /** Every change of `state`, beginning with the present one; ends after `closed`. */
  status(): AsyncIterableIterator<ConnectionStatus> {
    return this.#statusLog.read()
  }

  /**
   * The conversation with one other user. It comes into being with its first message.
   * @throws ChatError INVALID_MESSAGE for what cannot be a user.
   */
  direct(user: string): Conversation {
    check({ t: 'conv:R', op: 'direct', msgId: 'check', with: user })
    return new Conversation(this.#conversations, { conv: null, to: user })
  }

  /** @throws ChatError INVALID_MESSAGE for what cannot be a conversation's id. */
  conversation(id: string): Conversation {
    check({ t: 'conv:R', op: 'get', conv: id })
    return new Conversation(this.#conversations, { conv: id, to: null })
  }

  /** Resolves when it is stored on a majority of the nodes. @throws ChatError such as GROUP_FULL. */
  async createGroup(options: GroupOptions): Promise<Conversation> {
    const { members, name, meta } = options
    const conv = await this.#conversations.createGroup(members, name, meta)
    return new Conversation(this.#conversations, { conv, to: null })
  }

  /**
   * Takes no more of what this user writes to one's direct conversation; groups are not concerned.
   * Resolves when a majority of the nodes has it. Nobody is told.
   */
  block(user: string): Promise<void> {
    return this.#conversations.block('block', user)
  }

  /** Takes what this user writes from now on. */
  unblock(user: string): Promise<void> {
    return this.#conversations.block('unblock', user)
  }

  /** This user's conversations, newest change first. */
  conversations(): Promise<readonly ConversationInfo[]> {
    return this.#conversations.list()
  }

  /**
   * Messages of all this user's conversations from now on, new conversations included: in order
   * and without holes within each, each once. Now is as of `Conversation.messages`.
   * @param options.after `'cursor'`: each conversation goes on where this device's cursor is, as of
   *   `Conversation.messages`; one without a cursor begins with its first message.
   */
  messages(options: { after?: 'cursor' | undefined } = {}): AsyncIterableIterator<ChatMessage> {
    return this.#conversations.streams.all(options.after ?? 'now', isMessage)
  }

  /** Waits until every write has its final answer, then closes. New writes are refused. */
  async drain(): Promise<void> {
    this.#conversations.sender.isDraining = true
    await this.#conversations.core.outbox.whenEmpty()
    this.close()
    await this.closed
  }

  /**
   * Ends the session at once. What has no final answer fails with `CLOSED`; its outcome is unknown
   * if it was sent before, and a client with the same store takes it up again.
   */
  close(): void {
    const { acks, connection } = this.#conversations.core
    acks.flush()
    connection.close('closed by the application')
  }

  /** Resolves when the client was closed, by whomever, and its store is free for the next one. */
  get closed(): Promise<void> {
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.#closed
  }

  #starting(): { connection: { start(): void }; started: Promise<void> } {
    const { core } = this.#conversations
    const { connection } = core
    const { connectTimeoutMs, ports } = this.#options
    if (connectTimeoutMs === 0) {
      core.started()
      return { connection, started: Promise.resolve() }
    }
    let timer: Timer | null = null
    const started = new Promise<void>((resolve, reject) => {
      this.#firstSession = (status) => {
        if (status.state === 'connected') resolve()
        else if (status.state === 'closed') {
          reject(status.error ?? new ChatError('CLOSED', status.reason))
        } else return
        this.#firstSession = null
        timer?.cancel()
      }
      timer = ports.clock.after(connectTimeoutMs, () => {
        this.#firstSession = null
        const { status } = connection
        const why = status.state === 'disconnected' ? `: ${status.reason}` : ''
        reject(new ChatError('TIMEOUT', `no session within ${connectTimeoutMs} ms${why}`))
        connection.close('no session in time')
      })
    })
    return { connection, started }
  }
}
