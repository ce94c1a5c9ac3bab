import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Packr } from 'msgpackr'
import { WebSocket, WebSocketServer } from 'ws'

const SUBPROTOCOL = 'parley.v1.msgpack'
const packr = new Packr({ useRecords: false, variableMapSize: true })

export interface RelayedFrame {
  readonly t: string
  readonly [field: string]: unknown
}

/** Whether the frame gets through. */
export type FrameFilter = (frame: RelayedFrame) => boolean

/**
 * A slow way to one node on which frames are lost: between clients that speak `parley.v1.msgpack`
 * and that node it passes on, in order, every frame that the filter lets through, and keeps what it
 * passed on.
 */
export class FrameRelay {
  /** What got through, both ways, with the time in ms. */
  readonly passed: { readonly frame: RelayedFrame; readonly atMs: number }[] = []
  filter: FrameFilter = () => true
  lost = 0
  readonly #delayMs: number
  readonly #server: WebSocketServer
  readonly #sockets = new Set<WebSocket>()

  private constructor(server: WebSocketServer, nodeUrl: string, delayMs: number) {
    this.#server = server
    this.#delayMs = delayMs
    server.on('connection', (client) => {
      const node = new WebSocket(`${nodeUrl.replace('http', 'ws')}/v1/ws`, SUBPROTOCOL)
      const waiting: Buffer[] = []
      this.#pass(client, (message) => {
        if (node.readyState === WebSocket.OPEN) node.send(message)
        else waiting.push(message)
      })
      this.#pass(node, (message) => client.send(message))
      node.on('open', () => {
        for (const message of waiting.splice(0)) node.send(message)
      })
      client.on('close', () => node.terminate())
      node.on('close', () => client.terminate())
    })
  }

  /** @param delayMs added to every message, each way */
  static async to(nodeUrl: string, delayMs = 0): Promise<FrameRelay> {
    const handleProtocols = (): string => SUBPROTOCOL
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols })
    await once(server, 'listening')
    return new FrameRelay(server, nodeUrl, delayMs)
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Types of what got through, in order. */
  get types(): string[] {
    return this.passed.map(({ frame }) => frame.t)
  }

  /** From now on the first frame that fits is lost. */
  loseOne(fits: FrameFilter): void {
    let isLost = false
    this.filter = (frame) => {
      if (isLost || !fits(frame)) return true
      isLost = true
      return false
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.terminate()
    this.#server.close()
  }

  #pass(from: WebSocket, send: (message: Buffer) => void): void {
    this.#sockets.add(from)
    from.on('error', () => {})
    from.on('close', () => this.#sockets.delete(from))
    from.on('message', (data: Buffer) => {
      const message = packr.unpack(data) as RelayedFrame | RelayedFrame[]
      const frames = Array.isArray(message) ? message : [message]
      const passed = frames.filter((frame) => this.filter(frame))
      for (const frame of passed) this.passed.push({ frame, atMs: performance.now() })
      this.lost += frames.length - passed.length
      if (passed.length === 0) return
      const rest = passed.length === frames.length ? data : packr.pack(passed)
      if (this.#delayMs === 0) send(rest)
      else setTimeout(() => send(rest), this.#delayMs)
    })
  }
}
