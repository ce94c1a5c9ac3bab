import type { Subprotocol } from '#protocol'
import type {
  ClientConnection,
  ClientHandlers,
  ClientNetwork,
  HttpRequest,
  HttpResponse,
  RequestHead,
} from '../../node/gateway/client-listener.ts'
import type { SimNetwork } from './sim-network.ts'
import { SimPipe } from './sim-pipe.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'

type ClientMessage = Uint8Array | string
type Item =
  { readonly message: ClientMessage; readonly moment: number } | { readonly closeCode: number }

interface Accepting {
  readonly process: SimProcess
  readonly handlers: ClientHandlers
  open: boolean
}

/** An HTTP call, its query as text; a body is JSON. */
export interface SimHttpCall {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly body: string | null
}

export type SimHttpAnswer = Pick<HttpResponse, 'status' | 'body'>

/** What a client sees of its connection. Calls come as events of the world, in order. */
export interface ClientEvents {
  onOpen(): void
  onMessage(message: ClientMessage): void
  /** Once, also for a connection that never opened. */
  onClose(code: number): void
}

/** A client's end. */
export interface ClientSocket {
  readonly isOpen: boolean
  send(message: ClientMessage): void
  /** Gone without a word, as a phone that loses its network or dies. */
  drop(): void
}

/** No answer to an upgrade within this: the client gives up. */
const OPEN_TIMEOUT_MS = 2_000
/** The same for an HTTP call. */
const CALL_TIMEOUT_MS = 7_000
const ABNORMAL = 1006

/** WebSocket connections of simulated clients, message by message, over the same links as peers. */
export class SimClients {
  readonly #scheduler: SimScheduler
  readonly #network: SimNetwork
  readonly #accepting = new Map<string, Accepting>()
  readonly #hostOf = new Map<string, string>()
  readonly #connections = new Set<SimClientConnection>()
  #port = 40_000
  /** What the world counts, noted as each message leaves. */
  moment: () => number = () => 0
  /** A client was told that its write is accepted, in a message that left when `moment()` was `left`. */
  onSent: (node: string, write: { user: string; msgId: string }, left: number) => void = () => {}
  /** The moment at which the message left that a client reads now. */
  left = 0

  constructor(scheduler: SimScheduler, network: SimNetwork) {
    this.#scheduler = scheduler
    this.#network = network
  }

  portOf(process: SimProcess): ClientNetwork {
    return {
      listenForClients: (address, handlers) => {
        if (!process.isAlive) return new Promise(() => {})
        if (this.#accepting.has(address)) return Promise.reject(new Error(`${address} is taken`))
        const accepting: Accepting = { process, handlers, open: true }
        this.#accepting.set(address, accepting)
        this.#hostOf.set(address, process.host)
        return Promise.resolve({
          address,
          stopAccepting: () => void (accepting.open = false),
          close: () => {
            if (this.#accepting.get(address) === accepting) this.#accepting.delete(address)
            for (const one of [...this.#connections]) if (one.process === process) one.close(1001)
            return Promise.resolve()
          },
        })
      },
    }
  }

  processDied(process: SimProcess, how: 'killed' | 'power'): void {
    for (const [address, accepting] of this.#accepting) {
      if (accepting.process === process) this.#accepting.delete(address)
    }
    for (const one of [...this.#connections]) {
      if (one.process === process) one.orphan(how === 'power' ? 'lost' : 'reset')
    }
  }

  connect(
    from: string,
    address: string,
    subprotocol: Subprotocol,
    events: ClientEvents,
  ): ClientSocket {
    let connection: SimClientConnection | null = null
    let settled = false
    const give = (code: number) => {
      if (settled) return
      settled = true
      events.onClose(code)
    }
    this.#scheduler.after(OPEN_TIMEOUT_MS, null, () => give(ABNORMAL))
    const host = this.#hostOf.get(address) ?? ''
    const there = this.#network.link(from, host)
    const back = this.#network.link(host, from)
    this.#scheduler.after(there.transitMs(), null, () => {
      const accepting = this.#accepting.get(address)
      if (settled || there.isCut || !this.#network.isPowered(host)) return
      if (accepting === undefined) {
        this.#scheduler.after(back.transitMs(), null, () => give(ABNORMAL))
        return
      }
      this.#scheduler.after(0, accepting.process, () => {
        if (settled) return
        const head = this.#head(address)
        if (!accepting.open || accepting.handlers.admit(head, true) !== null) {
          this.#scheduler.after(back.transitMs(), null, () => give(ABNORMAL))
          return
        }
        settled = true
        connection = new SimClientConnection({
          scheduler: this.#scheduler,
          process: accepting.process,
          subprotocol,
          head,
          links: { there, back },
          client: events,
          onGone: (gone) => this.#connections.delete(gone),
          clients: this,
        })
        this.#connections.add(connection)
        accepting.handlers.onConnection(connection)
        connection.greet()
      })
    })
    return {
      get isOpen() {
        return connection?.isClientOpen === true
      },
      send: (message) => connection?.sendFromClient(message),
      drop: () => {
        if (connection === null) settled = true
        else connection.dropByClient()
      },
    }
  }

  /** One HTTP call on a connection of its own; `null`: no answer came in time. */
  call(
    from: string,
    address: string,
    call: SimHttpCall,
    done: (answer: SimHttpAnswer | null) => void,
  ): void {
    let settled = false
    const give = (answer: SimHttpAnswer | null) => {
      if (settled) return
      settled = true
      done(answer)
    }
    this.#scheduler.after(CALL_TIMEOUT_MS, null, () => give(null))
    const host = this.#hostOf.get(address) ?? ''
    const there = this.#network.link(from, host)
    const back = this.#network.link(host, from)
    this.#scheduler.after(there.transitMs(), null, () => {
      const accepting = this.#accepting.get(address)
      if (there.isCut || accepting?.open !== true) return
      const { process, handlers } = accepting
      this.#scheduler.after(0, process, () => {
        const request = this.#request(address, call, () => settled)
        const refusal = handlers.admit(request, false)
        const answered = (response: HttpResponse) => {
          // What the process says leaves it at once, as long as it lives; a cut loses it.
          if (!process.isAlive || back.isCut) return
          this.#scheduler.after(back.transitMs(), null, () => give(response))
        }
        if (refusal === null) void handlers.onRequest(request).then(answered)
        else answered(refusal)
      })
    })
  }

  #request(address: string, { method, path, query, body }: SimHttpCall, isGone: () => boolean) {
    const type = body === null ? null : 'application/json'
    return {
      ...this.#head(address),
      ...{ method, path, query: new URLSearchParams(query) },
      header: (name) => (name === 'content-type' ? type : null),
      body: () => Promise.resolve(new TextEncoder().encode(body ?? '')),
      isGone,
    } satisfies HttpRequest
  }

  #head(address: string): RequestHead {
    this.#port = 40_000 + ((this.#port + 1) % 20_000)
    return {
      method: 'GET',
      path: '/v1/ws',
      query: new URLSearchParams(),
      host: address,
      origin: null,
      accept: null,
      remote: `127.0.0.1:${this.#port}`,
      localPort: Number(address.split(':')[1]),
      isSecure: false,
    }
  }
}

class SimClientConnection implements ClientConnection {
  readonly subprotocol: Subprotocol
  readonly head: RequestHead
  readonly process: SimProcess
  readonly #scheduler: SimScheduler
  readonly #client: ClientEvents
  readonly #onGone: (connection: SimClientConnection) => void
  readonly #clients: SimClients
  readonly #toClient: SimPipe<Item>
  readonly #toServer: SimPipe<Item>
  #serverOpen = true
  #clientOpen = true
  onMessage: (message: ClientMessage) => void = () => {}
  onClose: (code: number) => void = () => {}

  constructor(parts: {
    scheduler: SimScheduler
    process: SimProcess
    subprotocol: Subprotocol
    head: RequestHead
    links: { there: ReturnType<SimNetwork['link']>; back: ReturnType<SimNetwork['link']> }
    client: ClientEvents
    onGone: (connection: SimClientConnection) => void
    clients: SimClients
  }) {
    const { scheduler, links } = parts
    this.#scheduler = scheduler
    this.process = parts.process
    this.subprotocol = parts.subprotocol
    this.head = parts.head
    this.#client = parts.client
    this.#onGone = parts.onGone
    this.#clients = parts.clients
    this.#toClient = new SimPipe<Item>({
      scheduler,
      link: links.back,
      end: {
        reader: () => null,
        deliver: (item) => this.#atClient(item),
        ended: () => this.#clientEnd(ABNORMAL),
      },
    })
    this.#toServer = new SimPipe<Item>({
      scheduler,
      link: links.there,
      end: {
        reader: () => (this.#serverOpen ? this.process : null),
        deliver: (item) => this.#atServer(item),
        ended: () => this.#serverEnd(ABNORMAL),
      },
    })
  }

  get isClientOpen(): boolean {
    return this.#clientOpen
  }

  greet(): void {
    this.#toClient.send({ message: '', moment: 0 }, 0)
  }

  send(message: ClientMessage): void {
    if (!this.#serverOpen) return
    const copy = typeof message === 'string' ? message : message.slice()
    this.#toClient.send({ message: copy, moment: this.#clients.moment() }, message.length)
  }

  /** Half of a WebSocket message is none: the client sees nothing but the end of the connection. */
  sendHalf(_message: ClientMessage, written: () => void): void {
    written()
  }

  close(code: number): void {
    if (!this.#serverOpen) return
    this.#toClient.send({ closeCode: code }, 0)
    this.#toClient.finish('closed')
    this.#scheduler.after(0, this.process, () => this.#serverEnd(code))
  }

  bufferedBytes(): number {
    return this.#toClient.bufferedBytes
  }

  sendFromClient(message: ClientMessage): void {
    if (this.#clientOpen) this.#toServer.send({ message, moment: 0 }, message.length)
  }

  dropByClient(): void {
    if (!this.#clientOpen) return
    this.#clientOpen = false
    this.#toServer.finish('reset')
    this.#toClient.abandon()
  }

  orphan(how: 'reset' | 'lost'): void {
    this.#serverOpen = false
    this.#onGone(this)
    this.#toClient.finish(how)
    this.#toServer.abandon()
  }

  #atClient(item: Item): void {
    if (!this.#clientOpen) return
    if ('closeCode' in item) this.#clientEnd(item.closeCode)
    else if (item.message === '') this.#client.onOpen()
    else {
      this.#clients.left = item.moment
      this.#client.onMessage(item.message)
    }
  }

  #atServer(item: Item): void {
    if (this.#serverOpen && 'message' in item) this.onMessage(item.message)
  }

  #clientEnd(code: number): void {
    if (!this.#clientOpen) return
    this.#clientOpen = false
    this.#toServer.finish('closed')
    this.#client.onClose(code)
  }

  #serverEnd(code: number): void {
    if (!this.#serverOpen) return
    this.#serverOpen = false
    this.#onGone(this)
    this.#toClient.finish('closed')
    this.onClose(code)
  }
}
