import {
  ChatClient,
  type ChatEvent,
  type ChatError,
  type Conversation,
  MemoryStore,
  type OutgoingMessage,
  type RetryConfig,
  type SendResult,
} from '#client'
import type { History, SendRecord } from '../history/history.ts'
import type { Prng } from '../prng.ts'
import type { SimClients } from '../simulation/sim-clients.ts'
import type { SimScheduler } from '../simulation/sim-scheduler.ts'
import type { Device } from './device.ts'
import type { Operation } from './operation.ts'
import { SdkPorts } from './sdk-ports.ts'

/** How an application uses its SDK client. */
export interface Application {
  /** Streams of each conversation from its beginning, one of the messages of all from now on, or none. */
  readonly listening: 'nothing' | 'conversations' | 'messages'
  readonly bufferedEvents: number
  readonly retry: Partial<RetryConfig>
}

export interface SdkOptions {
  readonly user: string
  readonly device: string
  readonly addresses: readonly string[]
  readonly window: number
  readonly application: Application
}

export interface SdkTotals {
  lives: number
  sessions: number
  /** Events handed to the application. */
  delivered: number
  /** Sends given up as unknown, and taken up again by the application. */
  retried: number
  /** Unsettled messages that a client found in the store of the one before it. */
  restored: number
}

interface Life {
  readonly number: number
  /** The device's name on the wire; a lost store is a new installation. */
  readonly device: string
  /** Who is shown what: a new life begins without the marks of the one before. */
  readonly name: string
  readonly ports: SdkPorts
  client: ChatClient | null
  /** How far each of its streams has come, by conversation. */
  readonly cursors: Map<string, number>
}

const REPLY_EVERY = 8
/** An application asks for so much, then waits. */
const RETRY_MS = 200

/**
 * An application on the SDK: sends and leaves the rest to it, reads streams and history, loses its
 * network, is killed and comes back with the store that it had or without. What it is told goes into
 * the same history as what is seen on the wire.
 */
export class SdkDevice implements Device {
  readonly options: SdkOptions
  readonly refusals = new Map<string, number>()
  readonly totals: SdkTotals = { lives: 0, sessions: 0, delivered: 0, retried: 0, restored: 0 }
  /** The SDK's code threw, or gave up by itself. */
  onFault: (property: string, message: string) => void = () => {}
  readonly #parts: SdkParts
  readonly #convs: string[] = []
  readonly #orders = new Map<string, number>()
  /** Without a verdict, by msgId: what the store holds, and what waits to be taken up again. */
  readonly #open = new Map<string, SendRecord>()
  readonly #settled: SendRecord[] = []
  #store = new MemoryStore()
  #installations = 1
  #lives = 0
  #count = 0
  #life: Life | null = null

  constructor(options: SdkOptions, parts: SdkParts) {
    this.options = options
    this.#parts = parts
  }

  get unsettled(): number {
    return this.#open.size
  }

  /** Whether every stream that runs has shown all that anybody was told of. */
  get isUpToDate(): boolean {
    const life = this.#life
    if (life === null || life.client === null) return false
    if (this.options.application.listening !== 'conversations') return true
    const { shown } = this.#parts.history
    return this.#convs.every((conv) => (life.cursors.get(conv) ?? 0) >= shown.headOf(conv))
  }

  start(): void {
    this.#begin()
  }

  join(number: number, conv: string): void {
    this.#convs[number] = conv
    const life = this.#life
    if (life !== null && life.client !== null) this.#listenTo(life, life.client, conv)
  }

  perform(operation: Operation): boolean {
    const life = this.#life
    const client = life?.client ?? null
    if (life === null || client === null) return false
    switch (operation.kind) {
      case 'crash':
        this.#crash(operation.keeps, operation.forMs)
        return true
      case 'move':
        life.ports.loseNetwork()
        return true
      case 'repeat':
        return this.#repeat(life, client, operation.back)
      case 'pull':
        return this.#read(life, client, operation)
      case 'send':
        return this.#send(life, client, operation)
    }
  }

  // ——— lives ———

  #begin(): void {
    const { scheduler, clients, prng } = this.#parts
    const { options } = this
    const number = ++this.#lives
    this.totals.lives += 1
    const installed = this.#installations
    const device = installed === 1 ? options.device : `${options.device}-i${installed}`
    const name = number === 1 ? device : `${device}~${number}`
    const onFault = (error: Error) => this.onFault('R9', `the SDK threw: ${error.stack}`)
    const random = prng.split(`life ${number}`)
    const ports = new SdkPorts({
      ...{ host: options.device, scheduler, clients, prng: random, onFault },
    })
    const life: Life = { number, device, name, ports, client: null, cursors: new Map() }
    this.#life = life
    ChatClient.connect({
      urls: options.addresses.map((address) => `http://${address}`),
      device,
      user: options.user,
      store: this.#store,
      window: options.window,
      retry: options.application.retry,
      bufferedEvents: options.application.bufferedEvents,
      connectTimeoutMs: 0,
      ports,
    }).then((client) => {
      if (this.#life === life) this.#connected(life, client)
    }, onFault)
  }

  #connected(life: Life, client: ChatClient): void {
    life.client = client
    const before = new Map(this.#open)
    this.#open.clear()
    for (const message of client.restored) {
      const record = before.get(message.msgId)
      if (record === undefined) {
        this.onFault('P14', `${life.name} restores ${message.msgId}, which was settled`)
        return
      }
      this.totals.restored += 1
      this.#watch(life, message, record)
    }
    if (this.options.application.listening === 'messages')
      void this.#deliver(life, client.messages(), 'ord')
    for (const conv of this.#convs) this.#listenTo(life, client, conv)
    void this.#watchState(life, client)
  }

  async #watchState(life: Life, client: ChatClient): Promise<void> {
    for await (const status of client.status()) {
      if (this.#life !== life) return
      if (status.state === 'connected') this.totals.sessions += 1
      if (status.state !== 'closed') continue
      this.onFault('P15', `${life.name} closed by itself: ${status.reason}`)
    }
  }

  /** Killed: what it was about to do, it never does; what was on the wire may still arrive. */
  #crash(keeps: boolean, forMs: number): void {
    this.#life!.ports.end()
    this.#life = null
    if (!keeps) {
      this.#store = new MemoryStore()
      this.#installations += 1
      this.#orders.clear()
      this.#open.clear()
    }
    this.#parts.scheduler.after(forMs, null, () => this.#begin())
  }

  // ——— what it does ———

  #send(
    life: Life,
    client: ChatClient,
    { conversation, padding }: Extract<Operation, { kind: 'send' }>,
  ): boolean {
    const conv = this.#convs[conversation]
    if (conv === undefined || this.#open.size >= 2 * this.options.window + 2) return false
    const { history } = this.#parts
    const { user } = this.options
    const { device } = life
    const order = (this.#orders.get(conv) ?? 0) + 1
    const head = history.shown.headOf(conv)
    const replyTo = order % REPLY_EVERY === 0 && head > 0 ? head : null
    const body = `${device} ${++this.#count} in ${conv}${'x'.repeat(padding)}`
    const message = client.conversation(conv).send(body, replyTo === null ? {} : { replyTo })
    const { msgId } = message
    this.#orders.set(conv, order)
    const record = history.send({ conv, user, device, msgId, order, body, replyTo })
    this.#watch(life, message, record)
    return true
  }

  #watch(life: Life, message: OutgoingMessage, record: SendRecord): void {
    this.#open.set(record.msgId, record)
    message.sent.then(
      (result) => {
        if (this.#life !== life) return
        const { clients } = this.#parts
        clients.onSent(life.ports.node, record, clients.left)
        this.#accepted(life, record, result)
      },
      (error: ChatError) => {
        if (this.#life === life) this.#failed(life, message, record, error)
      },
    )
  }

  #accepted(life: Life, record: SendRecord, { seq, at, duplicate }: SendResult): void {
    const { history } = this.#parts
    const { node, mark } = life.ports
    history.accept(record, { seq, at, duplicate, device: life.name, node, mark })
    this.#open.delete(record.msgId)
    this.#settled.push(record)
    if (this.#settled.length > 50) this.#settled.shift()
  }

  #failed(life: Life, message: OutgoingMessage, record: SendRecord, error: ChatError): void {
    const { history } = this.#parts
    this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1)
    if (error.outcome !== 'unknown') {
      // Taken at its word: shown to anybody after this, it is a violation.
      history.refuse(record, error.code, life.ports.node)
      this.#open.delete(record.msgId)
      return
    }
    record.abandoned = true
    message.on('status', (status) => {
      if (this.#life !== life || message.status !== status) return
      if (status === 'sent' && this.#open.has(record.msgId)) {
        this.#accepted(life, record, message.result!)
      }
      if (status === 'failed') this.#retryLater(life, message)
    })
    this.#retryLater(life, message)
  }

  #retryLater(life: Life, message: OutgoingMessage): void {
    this.#parts.scheduler.after(RETRY_MS, null, () => {
      if (this.#life !== life || message.status !== 'failed') return
      this.totals.retried += 1
      message.retry()
    })
  }

  /** The same message once more under its own id, as an application that lost track does. */
  #repeat(life: Life, client: ChatClient, back: number): boolean {
    const { length } = this.#settled
    const record = this.#settled[length - 1 - (back % length)]
    if (record === undefined || record.device !== life.device) return false
    if (this.#open.has(record.msgId)) return false
    const { conv, msgId, body, replyTo } = record
    const options = { msgId, ...(replyTo === null ? {} : { replyTo }) }
    try {
      this.#watch(life, client.conversation(conv).send(body, options), record)
    } catch (error) {
      // An answer to an earlier copy came, and the outbox still waits for that to a later one.
      if ((error as ChatError).code === 'INVALID_MESSAGE') return false
      throw error
    }
    return true
  }

  #read(
    life: Life,
    client: ChatClient,
    { conversation, back }: Extract<Operation, { kind: 'pull' }>,
  ): boolean {
    const conv = this.#convs[conversation]
    if (conv === undefined) return false
    const { history } = this.#parts
    const { node, mark } = life.ports
    const read = { device: life.name, conv, node, linearizable: false, rests: mark }
    const asked = history.ask(read)
    client
      .conversation(conv)
      .history({ limit: back + 1 })
      .then(
        ({ events }) => {
          if (this.#life !== life) return
          const upTo = events.at(-1)?.seq ?? 0
          const after = (events[0]?.seq ?? 1) - 1
          const page = { events, after, upTo, hasMore: false, mark: life.ports.mark }
          history.answer(asked, page)
        },
        (error: ChatError) => {
          this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1)
        },
      )
    return true
  }

  // ——— what it is shown ———

  #listenTo(life: Life, client: ChatClient, conv: string): void {
    if (this.options.application.listening !== 'conversations') return
    const conversation: Conversation = client.conversation(conv)
    void this.#deliver(life, conversation.events({ after: 0 }), 'seq')
  }

  async #deliver(
    life: Life,
    events: AsyncIterableIterator<ChatEvent>,
    counted: 'seq' | 'ord',
  ): Promise<void> {
    const { history } = this.#parts
    const { device, name } = life
    try {
      for await (const event of events) {
        if (this.#life !== life) return
        this.totals.delivered += 1
        life.cursors.set(event.conversation, event.seq)
        history.deliver({ device, stream: name, conv: event.conversation, counted }, event)
      }
    } catch (error) {
      if (this.#life !== life) return
      this.onFault('P14', `a stream of ${name} ended: ${(error as Error).message}`)
    }
  }
}

export interface SdkParts {
  readonly scheduler: SimScheduler
  readonly clients: SimClients
  readonly prng: Prng
  readonly history: History
}
