// The client process of `gateway.bench.ts`: so many connections, each with so many messages in
// flight, and the time every answer took. Reports over the IPC channel.
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { decodeFrames, encodeBody, encodeFrame, joinFrames, type RequestFrame } from '#protocol'

export interface LoadOptions {
  readonly url: string
  readonly connections: number
  readonly inFlight: number
  readonly bodyBytes: number
  readonly warmupMs: number
  readonly measureMs: number
}

export interface LoadReport {
  readonly answers: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const options = JSON.parse(process.argv[2] ?? '') as LoadOptions
const body = encodeBody('x'.repeat(options.bodyBytes))
let answers = 0
let measuring = false
const starts: (() => void)[] = []
let stopped = false
const latencies = new Float64Array(4_000_000)

function run(connection: number): Promise<void> {
  const user = `u${connection}`
  const webSocket = new WebSocket(options.url, 'parley.v1.msgpack', { perMessageDeflate: false })
  const sentAt = new Map<number, number>()
  let next = 1
  const send = (count: number): void => {
    const frames: Uint8Array[] = []
    const now = performance.now()
    for (let i = 0; i < count; i++) {
      const id = next++
      sentAt.set(id, now)
      const conv = `conversation-${id % 50}`
      const frame: RequestFrame = { t: 'msg:R', id, conv, msgId: `${user}_${id}_k3f9x2`, body }
      frames.push(encodeFrame(frame, 'parley.v1.msgpack'))
    }
    webSocket.send(joinFrames(frames))
  }
  const ask = (frame: RequestFrame): void => webSocket.send(encodeFrame(frame, 'parley.v1.msgpack'))
  const sync = (after: number): void => ask({ t: 'sync:R', id: 'sync', after, limit: 1 })
  let heardOf = 0
  /** Tells now and then how far it is: events come whole as long as it does. */
  const heard = (inbox: number): void => {
    heardOf++
    if (heardOf % 200 === 0) ask({ t: 'ping:R', id: `p${heardOf}`, inbox })
  }
  return new Promise((resolve, reject) => {
    webSocket.on('error', reject)
    webSocket.on('open', () => {
      const hello: RequestFrame = { t: 'hello:R', id: 0, v: [1, 1], device: 'bench', user }
      webSocket.send(encodeFrame(hello, 'parley.v1.msgpack'))
    })
    webSocket.on('message', (data: Buffer) => {
      let settled = 0
      const now = performance.now()
      for (const frame of decodeFrames(data, 'parley.v1.msgpack', 'toClient')) {
        if (frame instanceof Error) throw frame
        if (frame.t === 'hello:A' && 'inbox' in frame) sync(frame.inbox ?? 0)
        if (frame.t === 'sync:A') {
          starts.push(() => send(options.inFlight))
          // Nothing is applied before the last one stands at the end of its inbox.
          if (starts.length === options.connections) for (const start of starts) start()
        }
        if (frame.t === 'msg:N' && 'inbox' in frame) heard(frame.inbox ?? 0)
        if (frame.t !== 'msg:A') continue
        if ('error' in frame) throw new Error(`${frame.error.code}: ${frame.error.message}`)
        const id = 'id' in frame ? Number(frame.id) : 0
        if (measuring && answers < latencies.length) {
          latencies[answers++] = now - (sentAt.get(id) ?? now)
        }
        sentAt.delete(id)
        settled++
      }
      if (settled > 0 && !stopped) send(settled)
      if (stopped && sentAt.size === 0) {
        webSocket.close(1000)
        resolve()
      }
    })
  })
}

const runs = Array.from({ length: options.connections }, (_, at) => run(at))
await sleep(options.warmupMs)
measuring = true
process.send?.('measuring')
const cpuBefore = process.cpuUsage()
const startedAt = performance.now()
await sleep(options.measureMs)
measuring = false
const seconds = (performance.now() - startedAt) / 1000
const cpu = process.cpuUsage(cpuBefore)
process.send?.('measured')
stopped = true
await Promise.all(runs)
const sorted = latencies.subarray(0, answers).sort()
const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0
const report: LoadReport = {
  answers,
  seconds,
  cpuSeconds: (cpu.user + cpu.system) / 1e6,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
}
process.send?.(report)
process.disconnect()
