// Messages per second through a gateway whose backend answers at once: sockets, frames, sessions
// and answers, no log and no state. Client in a process of its own.
//
//     node bench/gateway.bench.ts [--connections 20] [--in-flight 50] [--seconds 5] [--runs 3]
import { fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import type { Backend, Submission } from '../node/gateway/backend.ts'
import { Gateway } from '../node/gateway/gateway.ts'
import { NodeClock } from '../node/host/node-clock.ts'
import { NodeRandom } from '../node/host/node-random.ts'
import { WsNetwork } from '../node/host/ws-listener.ts'
import { createLogger } from '../node/logger.ts'
import { MetricsRegistry } from '../node/metrics/metrics-registry.ts'
import type { Signal } from '../node/signals/signal.ts'
import type { StateReader, WriteResult } from '../node/state-machine/types.ts'
import type { LoadOptions, LoadReport } from './gateway-load.ts'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '20' },
    'in-flight': { type: 'string', default: '50' },
    seconds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '3' },
    // Events pushed to every connection, in place of nothing: each message goes to all of them. With
    // more than a few in flight clients fall behind and are sent notifies.
    fanout: { type: 'boolean', default: false },
  },
})

const self = { id: 'n1', url: 'http://127.0.0.1:1' }
let applied = 0
const state = {
  get appliedIndex() {
    return applied
  },
  logTime: 1_700_000_000_000,
  // Every event is everybody's: who has synced once is pushed to from there.
  inboxHead: async () => applied,
  inboxAfter: async () => ({
    entries: [],
    next: applied,
    upTo: applied,
    hasMore: false,
    gap: null,
  }),
  conversationsOf: async () => [],
  largeHeads: async () => [],
} as unknown as StateReader

const users = Array.from({ length: Number(values.connections) }, (_, at) => `u${at}`)

class InstantBackend implements Backend {
  readonly self = self
  readonly epoch = 'f3c1a2b4d5e6f708'
  readonly state = state
  leader = () => self
  nodes = () => [self]
  refuges = () => []
  readiness = () => ({ ready: true, reasons: [] })
  waitApplied = () => Promise.resolve(true)
  readIndex = () => Promise.resolve({ index: applied })
  publish = (signal: Signal): void => gateway.onSignal(signal)

  submit(submission: Submission, done: (result: WriteResult) => void): void {
    const seq = ++applied
    const { msgId } = submission
    const conv = 'conv' in submission ? (submission.conv ?? 'd') : 'd'
    if (values.fanout && 'body' in submission) {
      const { user: from, device, body } = submission
      gateway.onEvent(
        {
          id: conv,
          kind: 'group',
          large: false,
          memberCount: users.length,
          isMember: (user) => users.includes(user),
          forEachMember: (visit) => users.forEach((user) => visit(user, seq)),
        },
        {
          seq,
          kind: 1,
          ord: seq,
          msgId,
          from,
          device,
          at: seq,
          logTime: seq,
          body,
          replyTo: null,
          target: null,
          large: false,
          edited: null,
          recalled: false,
          expired: false,
        },
      )
    }
    done({
      ok: true,
      conv,
      msgId,
      seq,
      ord: seq,
      at: 1_700_000_000_000,
      inbox: seq,
      duplicate: false,
      now: 1_700_000_000_001,
    })
  }
}

const gateway = new Gateway({
  backend: new InstantBackend(),
  clock: new NodeClock(),
  random: new NodeRandom(),
  logger: createLogger({ node: 'bench', level: 'warn' }),
  metrics: new MetricsRegistry(),
  options: { dev: true },
  onRequest: () => Promise.reject(new Error('no HTTP here')),
})
const network = new WsNetwork({ maxMessageBytes: 1024 * 1024 })
const listener = await network.listenForClients('127.0.0.1:0', gateway.handlers)

const options: LoadOptions = {
  url: `ws://${listener.address}/v1/ws`,
  connections: Number(values.connections),
  inFlight: Number(values['in-flight']),
  bodyBytes: 256,
  warmupMs: 2_000,
  measureMs: Number(values.seconds) * 1000,
}

function measure(): Promise<LoadReport & { serverCpuSeconds: number }> {
  return new Promise((resolve, reject) => {
    const load = fork(new URL('./gateway-load.ts', import.meta.url), [JSON.stringify(options)], {
      execArgv: [],
    })
    let before = process.cpuUsage()
    let serverCpuSeconds = 0
    load.on('message', (message: 'measuring' | 'measured' | LoadReport) => {
      if (message === 'measuring') before = process.cpuUsage()
      else if (message === 'measured') {
        const { user, system } = process.cpuUsage(before)
        serverCpuSeconds = (user + system) / 1e6
      } else resolve({ ...message, serverCpuSeconds })
    })
    load.on('exit', (code) => {
      if (code !== 0) reject(new Error(`the load process ended with ${code}`))
    })
  })
}

for (let run = 0; run < Number(values.runs); run++) {
  const report = await measure()
  const { answers, seconds, p50Ms, p99Ms, serverCpuSeconds, cpuSeconds } = report
  console.log(
    [
      `${Math.round(answers / seconds).toLocaleString('en')} messages/s`,
      `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
      `${((serverCpuSeconds / answers) * 1e6).toFixed(2)} µs of CPU per message in the node`,
      `${((cpuSeconds / answers) * 1e6).toFixed(2)} µs in the client`,
    ].join('; '),
  )
}
gateway.close()
await listener.close()
