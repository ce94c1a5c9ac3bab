import {
  decodeFrames,
  encodeFrame,
  joinFrames,
  ProtocolError,
  type RequestFrame,
  type ServerFrame,
  type Subprotocol,
} from '#protocol'
import type { ClientConnection, HttpRequest, RequestHead } from '../client-listener.ts'

/** A client's end and the node's of one WebSocket, without a socket. */
export class MemoryConnection implements ClientConnection {
  readonly subprotocol: Subprotocol
  readonly head: RequestHead
  onMessage: (message: Uint8Array | string) => void = () => {}
  onClose: (code: number) => void = () => {}
  /** Frames received, grouped by WebSocket message. */
  readonly messages: ServerFrame[][] = []
  readonly sizes: number[] = []
  closed: { code: number; reason: string } | null = null
  /** While false, what is sent stays in the buffer. */
  reading = true
  #buffered = 0

  constructor(subprotocol: Subprotocol = 'parley.v1.msgpack', head: Partial<RequestHead> = {}) {
    this.subprotocol = subprotocol
    this.head = { ...HEAD, ...head }
  }

  send(message: Uint8Array | string): void {
    if (this.closed !== null) throw new Error('sent after close')
    if (!this.reading) this.#buffered += message.length
    this.sizes.push(message.length)
    // As over a socket: the bytes are the receiver's own.
    const received = typeof message === 'string' ? message : Uint8Array.from(message)
    const frames = decodeFrames(received, this.subprotocol, 'toClient')
    for (const frame of frames) if (frame instanceof ProtocolError) throw frame
    this.messages.push(frames as ServerFrame[])
  }

  sendHalf(_message: Uint8Array | string, written: () => void): void {
    written()
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason }
  }

  bufferedBytes(): number {
    return this.#buffered
  }

  /** The client reads again: everything buffered is gone. */
  drain(): void {
    this.reading = true
    this.#buffered = 0
  }

  get frames(): ServerFrame[] {
    return this.messages.flat()
  }

  last<T extends ServerFrame['t']>(type: T): Extract<ServerFrame, { t: T }> {
    const frame = this.frames.findLast((one) => one.t === type)
    if (frame === undefined) throw new Error(`no ${type} came`)
    return frame as Extract<ServerFrame, { t: T }>
  }

  /** As the client: one WebSocket message of these frames. */
  write(...frames: RequestFrame[]): void {
    const encoded = frames.map((frame) => encodeFrame(frame, this.subprotocol))
    this.onMessage(joinFrames(encoded))
  }
}

const HEAD: RequestHead = {
  method: 'GET',
  path: '/v1/ws',
  query: new URLSearchParams(),
  host: '127.0.0.1:7401',
  origin: null,
  accept: null,
  remote: '127.0.0.1:50000',
  localPort: 7401,
  isSecure: false,
}

export const requestHead = (more: Partial<RequestHead> = {}): RequestHead => ({ ...HEAD, ...more })

/** A call as a listener hands it on. */
export function httpRequest(
  more: Partial<RequestHead> & {
    headers?: Record<string, string>
    content?: Uint8Array | string
  } = {},
): HttpRequest {
  const { headers = {}, content = '', ...head } = more
  const bytes = Buffer.from(content as string)
  return {
    ...requestHead(head),
    header: (name) => headers[name] ?? null,
    body: async (maxBytes) => (bytes.length > maxBytes ? null : bytes),
    isGone: () => false,
  }
}
