import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type {
  ClientHandlers,
  HttpRequest,
  HttpResponse,
  RequestHead,
} from '../gateway/client-listener.ts'
import { problem } from '../gateway/problem.ts'
import { formatAddress, parseAddress } from './address.ts'
import { sendStream } from './send-stream.ts'
import { NetworkError } from './network-error.ts'
import type { ClientTls } from './tls/client-tls.ts'

/** Bytes of an HTTP call's body that are thrown away; more ends the connection. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024

/** Bytes that are still taken of a body that is too long, so that its sender gets the answer. */
const MAX_DISCARDED_BYTES = 4 * 1024 * 1024

/** Of a call that comes drop by drop; looked at so often, that it does not get twice the time. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
} as const

export interface HttpServerOptions {
  /** How long a connection without a call stays open. */
  readonly keepAliveMs: number
  /** A client that takes nothing of its answer for so long loses the connection. */
  readonly stallMs: number
  /** `null`: in clear. */
  readonly tls: ClientTls | null
}

/**
 * An HTTP server over the port's handlers, by TLS if it is given. Upgrades are the caller's, who listens
 * for them.
 */
export function createHttpServer(
  handlers: ClientHandlers,
  { keepAliveMs, stallMs, tls }: HttpServerOptions,
): Server {
  const options = { ...TIMEOUTS, keepAliveTimeout: keepAliveMs }
  const answer = answerer(handlers, stallMs)
  return tls === null ? createServer(options, answer) : tls.createServer(options, answer)
}

function answerer(handlers: ClientHandlers, stallMs: number): RequestListener {
  return (request, response) => {
    request.on('error', () => request.destroy())
    const respond = (answer: HttpResponse, headOnly: boolean): void => {
      // They wait in memory, and anybody may ask for the larger ones. A stream looks after itself, and may rest.
      if (answer.stream === undefined) response.setTimeout(stallMs, () => response.destroy())
      write(response, answer, headOnly)
    }
    const head = requestHead(request, handlers)
    if (head === null) {
      discardBody(request)
      respond(badRequest('The request line cannot be read.'), false)
      return
    }
    const isHead = head.method === 'HEAD'
    const refusal = handlers.admit(head, false)
    if (refusal !== null) {
      discardBody(request)
      respond(refusal, isHead)
      return
    }
    const call = new Call(head, request)
    void handlers.onRequest(call).then(
      (answer) => {
        call.discardRest(response)
        respond(answer, isHead)
      },
      () => response.destroy(),
    )
  }
}

/** Resolves to `host:port` as bound. */
export function listen(server: Server, address: string): Promise<string> {
  const { host, port } = parseAddress(address)
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      reject(NetworkError.ofListen(address, cause))
    }
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      const bound = server.address() as AddressInfo
      resolve(formatAddress(bound.address, bound.port))
    })
  })
}

/** `null` if the URL is malformed. */
export function requestHead(
  request: IncomingMessage,
  handlers: Pick<ClientHandlers, 'remoteOf'>,
): RequestHead | null {
  const { socket, headers } = request
  let url: URL
  try {
    url = new URL(request.url ?? '', 'http://node')
  } catch {
    return null
  }
  const remote = formatAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0)
  const forwardedFor = headers['x-forwarded-for'] ?? null
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    host: headers.host ?? null,
    origin: headers.origin ?? null,
    accept: headers.accept ?? null,
    remote: handlers.remoteOf?.(remote, forwardedFor?.toString() ?? null) ?? remote,
    localPort: socket.localPort ?? 0,
    isSecure: 'encrypted' in socket,
  }
}

/** Answers an upgrade that is not granted, on the bare socket, and ends it. */
export function refuseUpgrade(socket: Socket, answer: HttpResponse): void {
  const lines = [
    `HTTP/1.1 ${answer.status} ${answer.status === 403 ? 'Forbidden' : 'Refused'}`,
    'connection: close',
    `content-type: ${answer.contentType}`,
    `content-length: ${Buffer.byteLength(answer.body)}`,
    ...Object.entries(answer.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${answer.body}`)
}

export function badRequest(sentence: string): HttpResponse {
  return problem(400, 'INVALID_MESSAGE', sentence)
}

class Call implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly host: string | null
  readonly origin: string | null
  readonly accept: string | null
  readonly remote: string
  readonly localPort: number
  readonly isSecure: boolean
  readonly #request: IncomingMessage
  /** What lies behind it does not belong to the next call: the connection ends with the answer. */
  #isCut = false
  #isRead = false

  constructor(head: RequestHead, request: IncomingMessage) {
    this.method = head.method
    this.path = head.path
    this.query = head.query
    this.host = head.host
    this.origin = head.origin
    this.accept = head.accept
    this.remote = head.remote
    this.localPort = head.localPort
    this.isSecure = head.isSecure
    this.#request = request
  }

  header(name: string): string | null {
    const value = this.#request.headers[name]
    return (Array.isArray(value) ? value.join(', ') : value) ?? null
  }

  isGone(): boolean {
    return this.#request.socket.destroyed
  }

  body(maxBytes: number): Promise<Uint8Array | null> {
    this.#isRead = true
    const request = this.#request
    return new Promise((resolve) => {
      const chunks: Uint8Array[] = []
      let bytes = 0
      request.on('data', (chunk: Uint8Array) => {
        bytes += chunk.length
        if (bytes <= maxBytes) {
          chunks.push(chunk)
          return
        }
        this.#isCut = true
        chunks.length = 0
        resolve(null)
        // Whoever is still sending does not read: he gets the answer only if the rest is taken.
        if (bytes > maxBytes + MAX_DISCARDED_BYTES) request.destroy()
      })
      request.once('end', () => resolve(Buffer.concat(chunks)))
      request.once('close', () => resolve(null))
    })
  }

  /** Before the answer: what was not read must not stand in the way of the next call. */
  discardRest(response: ServerResponse): void {
    if (this.#isCut) response.setHeader('connection', 'close')
    else if (!this.#isRead) discardBody(this.#request)
  }
}

function write(response: ServerResponse, answer: HttpResponse, headOnly: boolean): void {
  const { stream } = answer
  if (stream !== undefined) {
    response.writeHead(answer.status, {
      'content-type': answer.contentType,
      'cache-control': 'no-store',
      ...answer.headers,
    })
    void sendStream(response, stream, headOnly)
    return
  }
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...answer.headers,
  })
  response.end(headOnly ? undefined : answer.body)
}

function discardBody(request: IncomingMessage): void {
  let bytes = 0
  request.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length
    if (bytes > MAX_IGNORED_BODY_BYTES) request.destroy()
  })
}
