import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { ClientHandlers, HttpResponse, RequestHead } from '../gateway/client-listener.ts'
import { formatAddress, parseAddress } from './address.ts'
import { NetworkError } from './network-error.ts'

/** Bytes of an HTTP call's body that are thrown away; more ends the connection. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024

/** A plain HTTP server over the port's handlers. Upgrades are the caller's, who listens for them. */
export function createHttpServer(handlers: ClientHandlers): Server {
  return createServer(
    { headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 5_000 },
    (request, response) => {
      request.on('error', () => request.destroy())
      discardBody(request)
      const head = requestHead(request)
      if (head === null) {
        respond(response, badRequest('The request line cannot be read.'), false)
        return
      }
      const refusal = handlers.admit(head, false)
      if (refusal !== null) {
        respond(response, refusal, head.method === 'HEAD')
        return
      }
      void handlers.onRequest(head).then(
        (answer) => respond(response, answer, head.method === 'HEAD'),
        () => response.destroy(),
      )
    },
  )
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
export function requestHead(request: IncomingMessage): RequestHead | null {
  const { socket, headers } = request
  let url: URL
  try {
    url = new URL(request.url ?? '', 'http://node')
  } catch {
    return null
  }
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    host: headers.host ?? null,
    origin: headers.origin ?? null,
    accept: headers.accept ?? null,
    remote: formatAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0),
    localPort: socket.localPort ?? 0,
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
  return { status: 400, contentType: 'text/plain; charset=utf-8', body: `${sentence}\n` }
}

function respond(response: ServerResponse, answer: HttpResponse, headOnly: boolean): void {
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
