import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedCall {
  readonly key: string
  readonly user: string
  readonly device: string
  readonly token: string
}

/** An operator's webhook that believes signed calls alone, and answers them or holds them back. */
export class PushReceiver {
  readonly url: string
  readonly calls: ReceivedCall[] = []
  /** Calls whose signature or form is wrong. */
  readonly wrong: string[] = []
  /** Calls are taken and never answered. */
  silent = false
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/push`
  }

  static async start(secret: string): Promise<PushReceiver> {
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += String(chunk)))
      request.on('end', () => receiver.#take(secret, request, response, body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const receiver = new PushReceiver(server)
    return receiver
  }

  of(user: string): ReceivedCall[] {
    return this.calls.filter((call) => call.user === user)
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  #take(
    secret: string,
    { headers }: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): void {
    const timestamp = String(headers['parley-timestamp'])
    const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')
    const call = JSON.parse(body) as ReceivedCall
    const fields = Object.keys(call).sort().join()
    if (
      headers['parley-signature'] !== `v1=${signature}` ||
      Math.abs(Number(timestamp) - Date.now() / 1_000) > 60 ||
      headers['idempotency-key'] !== call.key ||
      fields !== 'device,key,token,user'
    ) {
      this.wrong.push(body)
      response.writeHead(400).end()
      return
    }
    this.calls.push(call)
    if (!this.silent) response.writeHead(204).end()
  }
}
