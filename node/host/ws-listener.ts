import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { SUBPROTOCOLS, type Subprotocol } from '#protocol'
import { problem } from '../gateway/problem.ts'
import type {
  ClientConnection,
  ClientHandlers,
  ClientListener,
  ClientNetwork,
  RequestHead,
} from '../gateway/client-listener.ts'
import { badRequest, createHttpServer, listen, refuseUpgrade, requestHead } from './http-server.ts'
import { limitSockets } from './socket-limits.ts'
import type { ClientTls } from './tls/client-tls.ts'

/**
 * How long a client that does not answer the closing handshake may hold its socket, in ms. The
 * type declarations of `ws` lag behind and do not know the option.
 */
const CLOSE_TIMEOUT = { closeTimeout: 5_000 }

export interface WsNetworkOptions {
  /** Larger WebSocket messages from a client close its connection with 1009. Bytes. */
  readonly maxMessageBytes: number
  /** How long an HTTP connection without a call stays open. @default 75 s, longer than balancers do */
  readonly keepAliveMs?: number
  /** How long a client may take nothing of an answer over HTTP. @default 60 s */
  readonly stallMs?: number
  /** @default clients speak in clear */
  readonly tls?: ClientTls | null
}

/** Whoever closes first must not be the node: a balancer may just have sent the next call. */
const KEEP_ALIVE_MS = 75_000

const STALL_MS = 60_000

/** Answers to pings that may wait for a client that does not read. */
const MAX_PONG_BYTES = 64 * 1024

/** Clients over real sockets: HTTP by `node:http`, upgrades at `/v1/ws` by `ws`. */
export class WsNetwork implements ClientNetwork {
  readonly #options: WsNetworkOptions

  constructor(options: WsNetworkOptions) {
    this.#options = options
  }

  async listenForClients(address: string, handlers: ClientHandlers): Promise<ClientListener> {
    const { keepAliveMs = KEEP_ALIVE_MS, stallMs = STALL_MS, tls = null } = this.#options
    const server = createHttpServer(handlers, { keepAliveMs, stallMs, tls })
    limitSockets(server, handlers)
    const upgrades = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // A compressor per connection costs more memory than everything else a session holds.
      perMessageDeflate: false,
      // Answered below, and not to a client that sends and does not read.
      autoPong: false,
      maxPayload: this.#options.maxMessageBytes,
      ...CLOSE_TIMEOUT,
      handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
    })
    const open = new Set<WebSocket>()
    server.on('upgrade', (request: IncomingMessage, socket: Socket, firstBytes: Buffer) => {
      socket.on('error', () => socket.destroy())
      const head = requestHead(request, handlers)
      if (head === null) {
        refuseUpgrade(socket, badRequest('The request line cannot be read.'))
        return
      }
      const refusal = handlers.admit(head, true) ?? upgradeRefusal(head, request)
      if (refusal !== null) {
        refuseUpgrade(socket, refusal)
        return
      }
      upgrades.handleUpgrade(request, socket, firstBytes, (webSocket) => {
        open.add(webSocket)
        webSocket.once('close', () => open.delete(webSocket))
        handlers.onConnection(new WsConnection(webSocket, head, socket))
      })
    })
    return new WsListener(server, open, await listen(server, address))
  }
}

class WsListener implements ClientListener {
  readonly address: string
  readonly #server: Server
  readonly #open: ReadonlySet<WebSocket>
  #stopped: Promise<void> | null = null

  constructor(server: Server, open: ReadonlySet<WebSocket>, address: string) {
    this.#server = server
    this.#open = open
    this.address = address
  }

  stopAccepting(): void {
    // The callback waits for every connection, upgraded ones too, so `close` ends them first.
    this.#stopped ??= new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  async close(): Promise<void> {
    this.stopAccepting()
    for (const webSocket of this.#open) webSocket.terminate()
    this.#server.closeAllConnections()
    await this.#stopped
  }
}

class WsConnection implements ClientConnection {
  readonly subprotocol: Subprotocol
  readonly head: RequestHead
  onMessage: (message: Uint8Array | string) => void = () => {}
  onClose: (code: number) => void = () => {}
  readonly #webSocket: WebSocket
  readonly #binary: boolean
  readonly #socket: Socket

  constructor(webSocket: WebSocket, head: RequestHead, socket: Socket) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.head = head
    this.subprotocol = webSocket.protocol as Subprotocol
    this.#binary = this.subprotocol === 'parley.v1.msgpack'
    webSocket.on('message', (data: Buffer, isBinary) => {
      this.onMessage(isBinary ? data : data.toString('utf8'))
    })
    webSocket.on('ping', (data: Buffer) => {
      if (webSocket.bufferedAmount < MAX_PONG_BYTES) webSocket.pong(data)
    })
    // `close` follows every error and is where its owner learns of the end.
    webSocket.on('error', () => {})
    webSocket.on('close', (code) => this.onClose(code))
  }

  send(message: Uint8Array | string): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    this.#webSocket.send(message, { binary: this.#binary })
  }

  sendHalf(message: Uint8Array | string, written: () => void): void {
    const payload = Buffer.from(message as Uint8Array)
    const head = Buffer.from([this.#binary ? 0x82 : 0x81, 126, 0, 0])
    head.writeUInt16BE(Math.min(payload.length, 0xffff), 2)
    const half = payload.subarray(0, payload.length >> 1)
    this.#socket.write(Buffer.concat([head, half]), written)
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason)
  }

  bufferedBytes(): number {
    return this.#webSocket.bufferedAmount
  }
}

function chooseSubprotocol(offered: ReadonlySet<string>): Subprotocol | null {
  return SUBPROTOCOLS.find((known) => offered.has(known)) ?? null
}

function upgradeRefusal(head: RequestHead, request: IncomingMessage) {
  if (head.path !== '/v1/ws') {
    return problem(404, 'UNSUPPORTED', `There is no WebSocket at ${head.path}; use /v1/ws.`)
  }
  const header = request.headers['sec-websocket-protocol'] ?? ''
  if (chooseSubprotocol(new Set(header.split(',').map((name) => name.trim()))) === null) {
    return badRequest(`Sec-WebSocket-Protocol must name one of: ${SUBPROTOCOLS.join(', ')}.`)
  }
  return null
}
