import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type RawData, WebSocket, WebSocketServer } from 'ws'

export interface Weakness {
  /** Share of the messages that are lost, each way. */
  readonly loss: number
  /** Added to every message, each way, in ms. */
  readonly delayMs: number
  /** 0 to 1. */
  readonly random: () => number
}

/** Stands between clients and one node, and loses and delays what they say to each other, in order. */
export class WeakRelay {
  readonly url: string
  readonly #server: WebSocketServer
  passed = 0
  lost = 0

  private constructor(server: WebSocketServer, target: string, weakness: Weakness) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (client, request) => {
      const node = new WebSocket(`${target.replace('http', 'ws')}${request.url}`, client.protocol)
      const opened = once(node, 'open')
      opened.catch(() => client.terminate())
      const pass = (to: WebSocket, data: RawData, binary: boolean): void => {
        if (weakness.random() < weakness.loss) {
          this.lost += 1
          return
        }
        this.passed += 1
        setTimeout(() => {
          if (to.readyState === WebSocket.OPEN) to.send(data, { binary })
        }, weakness.delayMs)
      }
      client.on('message', (data, binary) => void opened.then(() => pass(node, data, binary)))
      node.on('message', (data, binary) => pass(client, data, binary))
      client.on('close', () => node.terminate())
      node.on('close', () => client.terminate())
      for (const socket of [client, node]) socket.on('error', () => socket.terminate())
    })
  }

  static async start(target: string, weakness: Weakness): Promise<WeakRelay> {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      handleProtocols: (offered) => [...offered][0] ?? false,
    })
    await once(server, 'listening')
    return new WeakRelay(server, target, weakness)
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
