import { WebSocket } from 'ws'

export type Frame = { t: string; id?: number; [field: string]: unknown }
export type Answer = Frame & { error?: { code: string; message: string; retryable: boolean } }

/**
 * A client of `parley.v1.json` that knows only `docs/protocol.md`: shares no code with the product,
 * so that it judges the wire and not itself.
 */
export class WireClient {
  readonly pushed: Frame[] = []
  /** The newest one: what this connection was shown lies at or before it. */
  mark: string | null = null
  epoch = ''
  onPush: (frame: Frame) => void = () => {}
  onClose: () => void = () => {}
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: Answer | null) => void>()
  #id = 0
  closed = false
  /** As the node gave it, `null` before the end and after `close`. */
  closeCode: number | null = null

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => {
      const parsed = JSON.parse((data as Buffer).toString()) as Frame | Frame[]
      const frames = Array.isArray(parsed) ? parsed : [parsed]
      const mark = frames.at(-1)?.['mark']
      if (typeof mark === 'string') this.mark = mark
      // It stands in the last frame and holds for all of them (rule B2).
      for (const frame of frames) this.#take({ ...frame, mark })
    })
    socket.on('close', (code) => {
      if (!this.closed) this.closeCode = code
      this.#ended()
    })
    socket.on('error', () => this.#ended())
  }

  /** Opens the socket only. Rejects if the node cannot be reached. */
  static open(url: string, timeoutMs = 2_000): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'parley.v1.json', {
        handshakeTimeout: timeoutMs,
        // An answer is taken in before the next message comes: what is recorded keeps their order.
        allowSynchronousEvents: false,
      })
      socket.once('error', reject)
      socket.once('open', () => {
        socket.off('error', reject)
        resolve(new WireClient(socket))
      })
    })
  }

  /** Opens and says hello. Rejects if the node does not take it. */
  static async connect(
    url: string,
    user: string,
    device: string,
    resume?: { epoch: string; inbox: number; mark: string },
  ): Promise<WireClient> {
    const client = await WireClient.open(url)
    const hello = { t: 'hello:R', v: [1, 1], user, device, ...(resume && { resume }) }
    const answer = await client.request(hello, 3_000)
    if (answer === null || answer.error !== undefined) {
      client.close()
      throw new Error(`hello refused: ${answer?.error?.code ?? 'no answer'}`)
    }
    client.epoch = answer['epoch'] as string
    return client
  }

  /** The answer, or `null` if the connection ended or the time ran out first. */
  request(frame: Omit<Frame, 'id'> & { t: string }, timeoutMs = 10_000): Promise<Answer | null> {
    this.#id += 1
    const id = this.#id
    return new Promise((resolve) => {
      if (this.closed) {
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
      this.#socket.send(JSON.stringify({ ...frame, id }))
    })
  }

  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data)
  }

  close(): void {
    this.#socket.terminate()
    this.#ended()
  }

  #take(frame: Frame): void {
    const waiting = frame.id === undefined ? undefined : this.#waiting.get(frame.id)
    if (waiting !== undefined) {
      this.#waiting.delete(frame.id!)
      waiting(frame as Answer)
      return
    }
    this.pushed.push(frame)
    this.onPush(frame)
  }

  #ended(): void {
    if (this.closed) return
    this.closed = true
    for (const waiting of this.#waiting.values()) waiting(null)
    this.#waiting.clear()
    this.onClose()
  }
}
