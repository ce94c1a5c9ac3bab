import { setTimeout as sleep } from 'node:timers/promises'
import { Packr } from 'msgpackr'
import { WebSocket } from 'ws'

export interface WireFailure {
  readonly code: string
  readonly category: string
  readonly message: string
  readonly retryable: boolean
  readonly outcome: string
}
/** As it came: whoever reads it checks what is in it. */
// oxlint-disable-next-line typescript/no-explicit-any -- the wire has no types of ours
type Unchecked = any
export type Frame = { t: string; id?: number | string; error?: WireFailure } & Record<
  string,
  Unchecked
>
export type Request = { t: string } & Record<string, unknown>
export type Subprotocol = 'parley.v1.json' | 'parley.v1.msgpack'

export interface OpenOptions {
  /** `null` offers none. @default 'parley.v1.json' */
  readonly subprotocol?: Subprotocol | null
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** For the node to open, ms. @default 20000 */
  readonly openMs?: number
}

/** What a connection takes along from the one before. */
export interface Resume {
  readonly epoch: string
  readonly inbox?: number
  readonly mark?: string
}

export interface HelloOptions {
  readonly token?: string
  readonly subprotocol?: Subprotocol
  /** For the node to open, and again to answer, ms. @default 20000 */
  readonly openMs?: number
  readonly mode?: string
  readonly resume?: Resume
}

/** For what must come: a machine may be busy with other things. */
const PATIENCE_MS = 60_000

const packr = new Packr({ useRecords: false, variableMapSize: true })

/**
 * A client in the words of `docs/protocol.md` alone, over either subprotocol: it shares no code with
 * the product, so that it judges the wire and not itself. It sends whatever it is told to and keeps
 * everything that comes back.
 */
export class WireClient {
  /** Everything that came, in order; each frame with the mark of its message (rule B2). */
  readonly received: Frame[] = []
  /** The newest one: what this connection was shown lies at or before it. */
  mark: string | null = null
  isClosed = false
  /** Settled when the connection has ended, whoever ended it. */
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #binary: boolean
  readonly #waiting = new Map<number | string, (answer: Frame | null) => void>()
  #pushed: (frame: Frame) => void = () => {}
  #id = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#binary = socket.protocol === 'parley.v1.msgpack'
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#ended()
        resolve({ code, reason: String(reason) })
      })
    })
    socket.on('error', () => this.#ended())
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary !== this.#binary) throw new Error('a message of the wrong kind')
      const message = (isBinary ? packr.unpack(data) : JSON.parse(String(data))) as Frame | Frame[]
      const frames = Array.isArray(message) ? message : [message]
      const mark = frames.at(-1)?.['mark'] as string | undefined
      if (mark !== undefined) this.mark = mark
      // It stands in the last frame and holds for all of them.
      for (const frame of frames) this.#take(mark === undefined ? frame : { ...frame, mark })
    })
  }

  /** Opens a connection and says nothing. Rejects, with `HTTP <status>` if the node says no. */
  static open(url: string, options: OpenOptions = {}): Promise<WireClient> {
    const {
      subprotocol = 'parley.v1.json',
      path = '/v1/ws',
      headers = {},
      openMs = 20_000,
    } = options
    return new Promise((resolve, reject) => {
      const target = `${url.replace('http', 'ws')}${path}`
      const socket = new WebSocket(target, subprotocol === null ? [] : [subprotocol], {
        headers,
        handshakeTimeout: openMs,
        // An answer is taken in before the next message comes: what is recorded keeps their order.
        allowSynchronousEvents: false,
      })
      socket.once('error', reject)
      socket.once('unexpected-response', (_request, response) => {
        response.resume()
        socket.terminate()
        reject(new Error(`HTTP ${response.statusCode}`))
      })
      socket.once('open', () => {
        socket.off('error', reject)
        resolve(new WireClient(socket))
      })
    })
  }

  /** Opens and says hello. Rejects with the refusal's code. */
  static async connect(
    url: string,
    user: string,
    device: string,
    options: HelloOptions = {},
  ): Promise<WireClient> {
    const { subprotocol = 'parley.v1.json', openMs = 20_000, ...more } = options
    const client = await WireClient.open(url, { subprotocol, openMs })
    const answer = await client.request({ t: 'hello:R', v: [1, 1], user, device, ...more }, openMs)
    if (answer === null || answer.error !== undefined) {
      client.close()
      throw new Error(answer?.error?.code ?? 'no answer to hello:R')
    }
    return client
  }

  /** What the node answered to `hello:R`. */
  get hello(): Frame {
    return this.received.find(({ t }) => t === 'hello:A')!
  }

  /** What came without being asked for. */
  get pushed(): Frame[] {
    return this.received.filter(isPushed)
  }

  /** Calls for all that was and will be pushed. */
  onPush(pushed: (frame: Frame) => void): void {
    this.#pushed = pushed
    for (const frame of this.pushed) pushed(frame)
  }

  /** The answer, or `null` if the connection ended or the time ran out first. */
  request(frame: Request, timeoutMs = 10_000): Promise<Frame | null> {
    this.#id += 1
    const id = this.#id
    return new Promise((resolve) => {
      if (this.isClosed) {
        resolve(null)
        return
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        resolve(null)
      }, timeoutMs)
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      this.send({ ...frame, id })
    })
  }

  /** The answer. Rejects if there is none. */
  async ask(frame: Request): Promise<Frame> {
    const answer = await this.request(frame, PATIENCE_MS)
    if (answer === null) throw new Error(`no answer to ${frame.t}`)
    return answer
  }

  /** A message that is stored: what may have been, or may be later, is sent again. */
  async say(to: { conv: string } | { to: string }, msgId: string, body: unknown, more = {}) {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await this.ask({ t: 'msg:R', ...to, msgId, body, ...more })
      const { error } = answer
      if (error === undefined) return answer
      if (!error.retryable || performance.now() > deadline) {
        throw new Error(`${msgId}: ${error.code}`)
      }
      await sleep(50)
    }
  }

  /** A frame, or several as one message. */
  send(frames: unknown): void {
    this.sendRaw(this.#binary ? packr.pack(frames) : JSON.stringify(frames))
  }

  /** Bytes go as a binary message unless told otherwise, a string as text. */
  sendRaw(data: Uint8Array | string, binary = typeof data !== 'string'): void {
    this.#socket.send(data, { binary })
  }

  /** The first frame, past or to come, that fits. Rejects when the connection ends without one. */
  async until(fits: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    const deadline = performance.now() + PATIENCE_MS
    for (let at = 0; ;) {
      while (at < this.received.length) {
        const frame = this.received[at++]!
        if (fits(frame)) return frame
      }
      if (this.isClosed) throw new Error(`closed while waiting for ${what}`)
      if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
      await sleep(2)
    }
  }

  /** Ends at once, as a process does that is killed. */
  close(): void {
    this.#socket.terminate()
    this.#ended()
  }

  /** Ends with a closing handshake: everything sent before is taken. */
  async leave(): Promise<void> {
    this.#socket.close()
    await this.closed
  }

  #take(frame: Frame): void {
    this.received.push(frame)
    const waiting = frame.id === undefined ? undefined : this.#waiting.get(frame.id)
    if (waiting !== undefined) {
      this.#waiting.delete(frame.id!)
      waiting(frame)
    } else if (isPushed(frame)) this.#pushed(frame)
  }

  #ended(): void {
    if (this.isClosed) return
    this.isClosed = true
    for (const waiting of this.#waiting.values()) waiting(null)
    this.#waiting.clear()
  }
}

const isPushed = ({ t }: Frame): boolean => t.endsWith(':N')
