import { WebSocket } from 'ws'
import {
  decodeFrames,
  encodeFrame,
  type HelloAnswer,
  type HelloRequest,
  isFailure,
  joinFrames,
  ProtocolError,
  type RequestFrame,
  type ServerFrame,
} from '#protocol'

export interface WireConnectionOptions {
  readonly url: string
  /** `null`: nobody is greeted, as the bare limit has it. */
  readonly hello: Pick<HelloRequest, 'user' | 'device' | 'token' | 'mode'> | null
  /** Every frame after the greeting, and when its message came (`performance.now`). */
  readonly onFrame: (frame: ServerFrame, atMs: number) => void
  /** After the frames of one message. */
  readonly onTurn?: () => void
  /** Once, whoever ended it, if it was open; nothing comes after that. */
  readonly onEnd: () => void
}

/** A connection that was refused, with the cluster's word for why. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly code: string
  readonly isFinal: boolean

  constructor(code: string, message: string, isFinal = false) {
    super(message)
    this.code = code
    this.isFinal = isFinal
  }
}

const PROTOCOL = 'parley.v1.msgpack'
const OPEN_MS = 20_000
/** Of one WebSocket message: below what nodes take at most. */
const MESSAGE_FRAMES = 500
const MESSAGE_BYTES = 512 * 1024

/**
 * One session for a load: the product's codec over `ws` with an empty mask, so that the client's share
 * of the machine stays small. Frames of one turn leave together.
 */
export class WireConnection {
  readonly #options: WireConnectionOptions
  readonly #socket: WebSocket
  #outgoing: Uint8Array[] = []
  #isOpen = false
  #greeting: HelloAnswer | null = null

  private constructor(options: WireConnectionOptions) {
    this.#options = options
    this.#socket = new WebSocket(`${options.url.replace(/^http/, 'ws')}/v1/ws`, PROTOCOL, {
      perMessageDeflate: false,
      handshakeTimeout: OPEN_MS,
      generateMask: (mask) => mask.fill(0),
    })
  }

  /** Rejects with a `ConnectError`. */
  static async open(options: WireConnectionOptions): Promise<WireConnection> {
    const connection = new WireConnection(options)
    await connection.#begin()
    return connection
  }

  /** What the node said to the greeting. @throws Error if nobody was greeted */
  get greeting(): HelloAnswer {
    if (this.#greeting === null) throw new Error('nobody was greeted')
    return this.#greeting
  }

  /** Leaves with the next `flush`. */
  send(frame: RequestFrame): void {
    this.#outgoing.push(encodeFrame(frame, PROTOCOL))
  }

  flush(): void {
    let from = 0
    let bytes = 0
    for (let at = 0; at < this.#outgoing.length; at++) {
      const next = this.#outgoing[at]!.length
      if (at > from && (at - from >= MESSAGE_FRAMES || bytes + next > MESSAGE_BYTES)) {
        this.#socket.send(joinFrames(this.#outgoing.slice(from, at)))
        from = at
        bytes = 0
      }
      bytes += next
    }
    if (from < this.#outgoing.length) this.#socket.send(joinFrames(this.#outgoing.slice(from)))
    this.#outgoing = []
  }

  /** At once; `onEnd` is not called. */
  close(): void {
    this.#isOpen = false
    this.#socket.terminate()
  }

  async #begin(): Promise<void> {
    const { url, hello } = this.#options
    const socket = this.#socket
    let isSettled = false
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => fail('TIMEOUT', `no answer within ${OPEN_MS} ms`), OPEN_MS)
        const settle = () => {
          isSettled = true
          clearTimeout(timer)
        }
        const fail = (code: string, why: string, isFinal = false) => {
          if (isSettled) return
          settle()
          reject(new ConnectError(code, `${url}: ${why}`, isFinal))
        }
        const open = () => {
          if (isSettled) return
          settle()
          this.#isOpen = true
          resolve()
        }
        socket.on('error', (error: NodeJS.ErrnoException) =>
          fail(error.code ?? 'CONNECTION_FAILED', error.message || String(error.code)),
        )
        socket.on('unexpected-response', (_request, response) => {
          response.resume()
          fail(`HTTP_${response.statusCode}`, `HTTP ${response.statusCode}`)
        })
        socket.on('close', () => {
          fail('CONNECTION_LOST', 'the connection ended')
          if (!this.#isOpen) return
          this.#isOpen = false
          this.#options.onEnd()
        })
        socket.on('message', (data: Buffer) => {
          const answer = this.#take(data)
          if (answer === null) return
          if (!isFailure(answer)) return open()
          const { code, message, retryable } = answer.error
          fail(code, `${code}: ${message}`, !retryable)
        })
        socket.on('open', () => {
          if (hello === null) return open()
          const frame = { t: 'hello:R', id: 0, v: [1, 1], ...hello } as const
          socket.send(encodeFrame(frame, PROTOCOL))
        })
      })
    } catch (error) {
      socket.terminate()
      throw error
    }
  }

  /** Hands out the frames of one message; gives the answer to the greeting, if that is in it. */
  #take(data: Buffer): ServerFrame | null {
    const now = performance.now()
    let answer: ServerFrame | null = null
    for (const frame of decodeFrames(data, PROTOCOL, 'toClient')) {
      if (frame instanceof ProtocolError) {
        // Whatever that is, nothing it says counts; what waits for it has no answer.
        this.#socket.terminate()
        return null
      }
      if (frame.t === 'hello:A') {
        answer = frame
        if (!isFailure(frame)) this.#greeting = frame as HelloAnswer
      } else this.#options.onFrame(frame, now)
    }
    this.#options.onTurn?.()
    return answer
  }
}
