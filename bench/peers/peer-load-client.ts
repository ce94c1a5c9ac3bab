/**
 * The load of `bench/load/load-client.ts` for another system: one process, as many connections,
 * as many unanswered messages on each, closed loop, through the client library of that system.
 */
import { Measurement } from '../load/measurement.ts'
import type { LoadSpec } from '../load/load-spec.ts'
import { connectEtcd } from './publishers/etcd-publisher.ts'
import { connectNats } from './publishers/nats-publisher.ts'
import type { ConnectPublisher, Publisher } from './publishers/publisher.ts'
import { connectRabbitmq } from './publishers/rabbitmq-publisher.ts'

const CONNECT: Readonly<Record<string, ConnectPublisher>> = {
  etcd: connectEtcd,
  nats: connectNats,
  rabbitmq: connectRabbitmq,
}

const spec = JSON.parse(process.argv[2] ?? '{}') as LoadSpec
const measurement = new Measurement(spec)
const body = Buffer.alloc(spec.bodyBytes, 'x')

class PeerConnection {
  readonly #publisher: Publisher
  readonly #sentAt: Map<number, number>
  #id = 0

  private constructor(publisher: Publisher, sentAt: Map<number, number>) {
    this.#publisher = publisher
    this.#sentAt = sentAt
  }

  static async open(connection: number): Promise<PeerConnection> {
    const sentAt = new Map<number, number>()
    const publisher = await CONNECT[spec.target]!({
      url: spec.url,
      connection,
      conversations: Math.max(1, Math.floor(spec.conversations / spec.connections)),
      answered: (id, error) => {
        const sent = sentAt.get(id)
        if (sent === undefined) throw new Error(`an answer to no message: ${id}`)
        sentAt.delete(id)
        measurement.answered(sent, performance.now(), error)
        if (!measurement.stopping) opened.#send()
      },
    })
    const opened = new PeerConnection(publisher, sentAt)
    return opened
  }

  get idle(): boolean {
    return this.#sentAt.size === 0
  }

  fill(): void {
    while (this.#sentAt.size < spec.inFlight) this.#send()
  }

  #send(): void {
    this.#id += 1
    this.#sentAt.set(this.#id, performance.now())
    this.#publisher.publish(this.#id, body)
  }
}

const connections = await Promise.all(
  Array.from({ length: spec.connections }, (_, at) => PeerConnection.open(at)),
)
for (const connection of connections) connection.fill()
const result = await measurement.run(() => connections.every((connection) => connection.idle))
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
