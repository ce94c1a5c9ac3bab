/**
 * The load of `docs/performance.md`, as a process of its own: connections that each keep a number of
 * messages unanswered, closed loop. Speaks the wire by the product's codec, so that the client's
 * share of the machine stays small, over `ws` with an empty mask.
 */
import { WebSocket } from 'ws'
import { decodeFrames, encodeBody, encodeFrame, joinFrames } from '#protocol'
import type { LoadSpec } from './load-spec.ts'
import { Measurement } from './measurement.ts'

const spec = JSON.parse(process.argv[2] ?? '{}') as LoadSpec
const PROTOCOL = 'parley.v1.msgpack'
const measurement = new Measurement(spec)
const body = encodeBody('x'.repeat(spec.bodyBytes))
const run = `${process.pid.toString(36)}${Date.now().toString(36)}`

class LoadConnection {
  readonly #user: string
  readonly #socket: WebSocket
  readonly #sentAt = new Map<number, number>()
  #id = 0
  #outgoing: Uint8Array[] = []
  #now = 0
  readonly #peers: readonly string[]

  constructor(user: string, peers: readonly string[]) {
    this.#user = user
    this.#peers = peers
    this.#socket = new WebSocket(`${spec.url.replace('http', 'ws')}/v1/ws`, PROTOCOL, {
      perMessageDeflate: false,
      generateMask: (mask) => mask.fill(0),
    })
    this.#socket.on('message', (data: Buffer) => this.#take(data))
    this.#socket.on('error', (error) => fail(error))
    this.#socket.on('close', () => measurement.stopping || fail(new Error('a connection ended')))
  }

  get idle(): boolean {
    return this.#sentAt.size === 0
  }

  begin(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.on('open', () => {
        if (spec.target === 'bare') {
          resolve()
          return
        }
        const hello = {
          t: 'hello:R',
          id: 0,
          v: [1, 1],
          device: 'bench',
          user: this.#user,
          mode: 'notify',
        } as const
        this.#socket.send(encodeFrame(hello, PROTOCOL))
        this.#greeted = resolve
      })
    })
  }

  fill(): void {
    while (this.#sentAt.size < spec.inFlight) this.#send()
    this.#flush()
  }

  close(): void {
    this.#socket.terminate()
  }

  #greeted: () => void = () => {}

  #send(): void {
    this.#id += 1
    this.#sentAt.set(this.#id, performance.now())
    const frame = {
      t: 'msg:R',
      id: this.#id,
      to: this.#peers[this.#id % this.#peers.length]!,
      msgId: `${run}-${this.#id}`,
      body,
      since: this.#now,
    } as const
    this.#outgoing.push(encodeFrame(frame, PROTOCOL))
  }

  #flush(): void {
    if (this.#outgoing.length === 0) return
    this.#socket.send(joinFrames(this.#outgoing))
    this.#outgoing = []
  }

  #take(data: Buffer): void {
    const now = performance.now()
    for (const frame of decodeFrames(data, PROTOCOL, 'toClient')) {
      if ('t' in frame && frame.t === 'hello:A') {
        if ('error' in frame) fail(new Error(frame.error.message))
        this.#now = (frame as { now: number }).now
        this.#greeted()
      } else if ('t' in frame && frame.t === 'msg:A') this.#answered(frame, now)
    }
    this.#flush()
  }

  #answered(frame: object, now: number): void {
    const { id } = frame as { id: number }
    const sentAt = this.#sentAt.get(id)
    if (sentAt === undefined) return
    this.#sentAt.delete(id)
    const error = 'error' in frame ? (frame as { error: { code: string } }).error.code : null
    measurement.answered(sentAt, now, error)
    if (!measurement.stopping) this.#send()
  }
}

function fail(error: Error): never {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}

const perConnection = Math.max(1, Math.floor(spec.conversations / spec.connections))
const connections = Array.from({ length: spec.connections }, (_, at) => {
  const peers = Array.from({ length: perConnection }, (_, peer) => `peer-${at}-${peer}`)
  return new LoadConnection(`sender-${at}`, peers)
})
await Promise.all(connections.map((connection) => connection.begin()))
for (const connection of connections) connection.fill()
const result = await measurement.run(() => connections.every((connection) => connection.idle))
process.stdout.write(`${JSON.stringify(result)}\n`)
for (const connection of connections) connection.close()
process.exit(0)
