/**
 * The load of `docs/performance.md`, as a process of its own: connections that each keep a number of
 * messages unanswered, closed loop.
 */
import { encodeBody, isFailure, type ServerFrame } from '#protocol'
import type { LoadSpec } from './load-spec.ts'
import { Measurement } from './measurement.ts'
import { WireConnection } from './wire-connection.ts'

const spec = JSON.parse(process.argv[2] ?? '{}') as LoadSpec
const measurement = new Measurement(spec)
const body = encodeBody('x'.repeat(spec.bodyBytes))
const run = `${process.pid.toString(36)}${Date.now().toString(36)}`

class LoadConnection {
  readonly #peers: readonly string[]
  readonly #sentAt = new Map<number, number>()
  #wire!: WireConnection
  #since = 0
  #id = 0

  private constructor(peers: readonly string[]) {
    this.#peers = peers
  }

  static async open(user: string, peers: readonly string[]): Promise<LoadConnection> {
    const connection = new LoadConnection(peers)
    connection.#wire = await WireConnection.open({
      url: spec.url,
      hello: spec.target === 'bare' ? null : { user, device: 'bench', mode: 'notify' },
      onFrame: (frame, nowMs) => connection.#take(frame, nowMs),
      onTurn: () => connection.#wire?.flush(),
      onEnd: () => measurement.stopping || fail(new Error('a connection ended')),
    })
    if (spec.target !== 'bare') connection.#since = connection.#wire.greeting.now
    return connection
  }

  get idle(): boolean {
    return this.#sentAt.size === 0
  }

  fill(): void {
    while (this.#sentAt.size < spec.inFlight) this.#send()
    this.#wire.flush()
  }

  close(): void {
    this.#wire.close()
  }

  #send(): void {
    this.#id += 1
    this.#sentAt.set(this.#id, performance.now())
    this.#wire.send({
      t: 'msg:R',
      id: this.#id,
      to: this.#peers[this.#id % this.#peers.length]!,
      msgId: `${run}-${this.#id}`,
      body,
      since: this.#since,
    })
  }

  #take(frame: ServerFrame, nowMs: number): void {
    if (frame.t !== 'msg:A') return
    const { id } = frame as { id: number }
    const sentAt = this.#sentAt.get(id)
    if (sentAt === undefined) return
    this.#sentAt.delete(id)
    measurement.answered(sentAt, nowMs, isFailure(frame) ? frame.error.code : null)
    if (!measurement.stopping) this.#send()
  }
}

function fail(error: Error): never {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}

const perConnection = Math.max(1, Math.floor(spec.conversations / spec.connections))
const connections = await Promise.all(
  Array.from({ length: spec.connections }, (_, at) => {
    const peers = Array.from({ length: perConnection }, (_, peer) => `peer-${at}-${peer}`)
    return LoadConnection.open(`sender-${at}`, peers)
  }),
).catch(fail)
for (const connection of connections) connection.fill()
const result = await measurement.run(() => connections.every((connection) => connection.idle))
process.stdout.write(`${JSON.stringify(result)}\n`)
for (const connection of connections) connection.close()
process.exit(0)
