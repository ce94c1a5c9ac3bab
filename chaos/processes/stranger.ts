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
// oxlint-disable-next-line typescript/no-explicit-any -- a stranger has no types of ours
type Unchecked = any
export type Received = { t: string; id?: number | string; error?: WireFailure } & Record<
  string,
  Unchecked
>
export type Subprotocol = 'parley.v1.json' | 'parley.v1.msgpack'

export interface OpenOptions {
  readonly subprotocol?: Subprotocol | null
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

const packr = new Packr({ useRecords: false, variableMapSize: true })
/**
 * A client in the words of `docs/protocol.md` alone, over either subprotocol: it shares no code
 * with the product, sends whatever it is told to and shows everything that comes back.
 */
export class Stranger {
  /** Everything received, in order. */
  readonly received: Received[] = []
  /** Settled when the connection has ended, whoever ended it. */
  readonly closed: Promise<{ code: number; reason: string }>
  isClosed = false
  readonly #socket: WebSocket
  readonly #binary: boolean
  #id = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#binary = socket.protocol === 'parley.v1.msgpack'
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.isClosed = true
        resolve({ code, reason: String(reason) })
      })
    })
    socket.on('error', () => {})
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary !== this.#binary) throw new Error('a message of the wrong kind')
      const message = (isBinary ? packr.unpack(data) : JSON.parse(String(data))) as unknown
      this.received.push(...((Array.isArray(message) ? message : [message]) as Received[]))
    })
  }

  /** Opens a connection and says nothing. Rejects with `HTTP <status>` if it is not granted. */
  static open(url: string, options: OpenOptions = {}): Promise<Stranger> {
    const { subprotocol = 'parley.v1.json', path = '/v1/ws', headers = {} } = options
    return new Promise((resolve, reject) => {
      const target = `${url.replace('http', 'ws')}${path}`
      const socket = new WebSocket(target, subprotocol === null ? [] : [subprotocol], {
        headers,
        handshakeTimeout: 5_000,
      })
      socket.once('error', reject)
      socket.once('unexpected-response', (_request, response) => {
        response.resume()
        socket.terminate()
        reject(new Error(`HTTP ${response.statusCode}`))
      })
      socket.once('open', () => {
        socket.off('error', reject)
        resolve(new Stranger(socket))
      })
    })
  }

  /** Opens and says hello; rejects with the refusal's code. */
  static async connect(
    url: string,
    user: string,
    device: string,
    more: { subprotocol?: Subprotocol; mode?: string; resume?: object } = {},
  ): Promise<Stranger> {
    const { subprotocol = 'parley.v1.json', ...hello } = more
    const stranger = await Stranger.open(url, { subprotocol })
    const answer = await stranger.ask({ t: 'hello:R', v: [1, 1], user, device, ...hello })
    if (answer.error !== undefined) throw new Error(answer.error.code)
    return stranger
  }

  get hello(): Received {
    return this.received.find(({ t }) => t === 'hello:A')!
  }

  /** Sends a request under a new id and gives its answer. */
  async ask(frame: { t: string } & Record<string, unknown>): Promise<Received> {
    this.#id += 1
    const id = this.#id
    this.send({ ...frame, id })
    return this.until((received) => received.id === id, `an answer to ${frame.t}`)
  }

  /** A message that is stored. */
  async say(to: { conv: string } | { to: string }, msgId: string, body: unknown, more = {}) {
    const answer = await this.ask({ t: 'msg:R', ...to, msgId, body, ...more })
    if (answer.error !== undefined) throw new Error(`${msgId}: ${answer.error.code}`)
    return answer
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
  async until(fits: (frame: Received) => boolean, what = 'a frame'): Promise<Received> {
    const deadline = performance.now() + 10_000
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

  /** Ends with a closing handshake: everything sent before is taken. */
  async close(): Promise<void> {
    this.#socket.close()
    await this.closed
  }
}
