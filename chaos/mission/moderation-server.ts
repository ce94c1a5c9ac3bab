import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A moderation hook that refuses what is called spam, or does what the test says. */
export class ModerationServer {
  readonly url: string
  /** The msgIds that were asked about, in order. */
  readonly asked: string[] = []
  mode: 'judge' | 'accept' | 'fail' = 'judge'
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  static async start(): Promise<ModerationServer> {
    const server = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk) => (text += String(chunk)))
      request.on('end', () => {
        const { frame } = JSON.parse(text) as { frame: { msgId: string; body: unknown } }
        moderation.asked.push(frame.msgId)
        const isSpam = JSON.stringify(frame.body).includes('spam')
        const verdict = moderation.mode === 'judge' && isSpam ? 'refuse' : 'accept'
        response.statusCode = moderation.mode === 'fail' ? 500 : 200
        response.end(JSON.stringify({ verdict }))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const moderation = new ModerationServer(server)
    return moderation
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
