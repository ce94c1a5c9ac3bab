/**
 * The load of `docs/performance.md`, as a process of its own: connections that each keep a number of
 * messages unanswered, closed loop. Speaks the wire by the product's codec, so that the client's
 * share of the machine stays small, over `ws` with an empty mask.
 */
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { decodeFrames, encodeBody, encodeFrame, joinFrames } from '#protocol'
import type { LoadResult, LoadSpec } from './load-spec.ts'

const spec = JSON.parse(process.argv[2] ?? '{}') as LoadSpec
const PROTOCOL = 'parley.v1.msgpack'
const histogram = createHistogram()
const errors: Record<string, number> = {}
const body = encodeBody('x'.repeat(spec.bodyBytes))
const run = `${process.pid.toString(36)}${Date.now().toString(36)}`
let measuring = false
let acknowledged = 0
let stored = 0
let stopping = false

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
    this.#socket.on('close', () => stopping || fail(new Error('a connection ended')))
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
    if ('error' in frame) {
      const { code } = (frame as { error: { code: string } }).error
      errors[code] = (errors[code] ?? 0) + 1
    } else {
      stored += 1
      if (measuring) {
        acknowledged += 1
        histogram.record(Math.max(1, Math.round((now - sentAt) * 1000)))
      }
    }
    if (!stopping) this.#send()
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
await sleep(spec.warmupMs)
measuring = true
const from = performance.now()
const end = from + spec.durationMs
while (performance.now() < end && stored < (spec.messages ?? Infinity)) {
  await sleep(Math.min(50, end - performance.now()))
}
measuring = false
const seconds = (performance.now() - from) / 1000
stopping = true
const deadline = performance.now() + 10_000
while (!connections.every((connection) => connection.idle) && performance.now() < deadline) {
  await sleep(10)
}
const ms = (microseconds: number) => Math.round(microseconds) / 1000
const result: LoadResult = {
  acknowledged,
  seconds,
  perSecond: Math.round(acknowledged / seconds),
  p50Ms: ms(histogram.percentile(50)),
  p99Ms: ms(histogram.percentile(99)),
  p999Ms: ms(histogram.percentile(99.9)),
  maxMs: ms(histogram.max),
  errors,
  stored,
}
process.stdout.write(`${JSON.stringify(result)}\n`)
for (const connection of connections) connection.close()
process.exit(0)
