/**
 * The port through which clients reach a node: WebSocket connections and plain HTTP requests on
 * one address. The real one stands in `node/host/ws-listener.ts`; a simulated one replaces it
 * whole, so nothing in `node/gateway/` knows a socket.
 */
import type { Subprotocol } from '#protocol'

/** What the first line and the headers of an upgrade or an HTTP call say. */
export interface RequestHead {
  readonly method: string
  /** Path without the query, percent-encoding untouched. */
  readonly path: string
  readonly query: URLSearchParams
  /** `host` header as sent; `null` when absent. */
  readonly host: string | null
  /** `origin` header as sent; `null` when absent, as from anything that is not a browser. */
  readonly origin: string | null
  readonly accept: string | null
  /** `address:port` of the other end; behind a trusted proxy of the client, with port 0. */
  readonly remote: string
  /** Port that this listener is bound to. */
  readonly localPort: number
  /** Whether it came by TLS. */
  readonly isSecure: boolean
}

/** An HTTP call: its head, its other headers, and its body if it is asked for. */
export interface HttpRequest extends RequestHead {
  /** The header of that name, in lower case; `null` when absent. */
  header(name: string): string | null
  /**
   * Reads the body, once. `null`: it is longer than `maxBytes`, or the client left before its end.
   * A body that nobody reads is thrown away.
   */
  body(maxBytes: number): Promise<Uint8Array | null>
  /** Whether the client left: nobody takes an answer any more. */
  isGone(): boolean
}

export interface HttpResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent instead of `body`, as it comes. Cut off where it rejects: the reader must be able to tell. */
  readonly stream?: ResponseStream
}

/** The listener takes `chunks` no faster than the client does, and always calls `close`. */
export interface ResponseStream {
  readonly chunks: AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/**
 * One client's WebSocket. Messages arrive whole and in order; `onClose` is called exactly once,
 * after the last of them, whoever ended it.
 */
export interface ClientConnection {
  readonly subprotocol: Subprotocol
  readonly head: RequestHead
  /** Queues one WebSocket message: text for the JSON subprotocol, binary otherwise. */
  send(message: Uint8Array | string): void
  /** For a drill that ends the process: calls `written` once half of the message has left. */
  sendHalf(message: Uint8Array | string, written: () => void): void
  /** Starts the closing handshake. Later `send` calls do nothing. */
  close(code: number, reason: string): void
  /** Bytes taken by `send` and not yet by the operating system. */
  bufferedBytes(): number
  /** Set by the owner before the next turn of the event loop. */
  onMessage: (message: Uint8Array | string) => void
  onClose: (code: number) => void
}

export interface ClientHandlers {
  /** Asked before every upgrade and every HTTP call; `null` lets it through. */
  admit(head: RequestHead, upgrade: boolean): HttpResponse | null
  onConnection(connection: ClientConnection): void
  /**
   * Told of each socket before its first byte, with `address:port` of its other end. `null`: to be
   * closed at once; else what to call when it is closed.
   */
  onSocket?(remote: string): (() => void) | null
  /** Where a call comes from, given the other end of its socket and the header `X-Forwarded-For`. */
  remoteOf?(socketRemote: string, forwardedFor: string | null): string
  onRequest(request: HttpRequest): Promise<HttpResponse>
}

export interface ClientListener {
  /** `host:port` it is bound to; the real port where 0 was asked for. */
  readonly address: string
  /** Stops accepting. Connections that are open stay open. */
  stopAccepting(): void
  /** Ends everything now and frees the port. */
  close(): Promise<void>
}

export interface ClientNetwork {
  /** Rejects with a clear error if the address is taken. */
  listenForClients(address: string, handlers: ClientHandlers): Promise<ClientListener>
}
