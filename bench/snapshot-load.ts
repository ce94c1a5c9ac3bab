/**
 * What clients notice of checkpoints, and of a member that lost its disk and comes back by snapshot,
 * while the load goes on (docs/performance.md).
 *
 *     node bench/snapshot-load.ts [--messages 300000] [--conversations 100000] [--in-flight 50]
 */
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { messagesApplied } from './load/messages-applied.ts'
import { NODE_ENVIRONMENT } from './load/node-environment.ts'
import { NodeMemory, type Resident } from './load/node-memory.ts'
import { oldestPageIsRight } from './load/oldest-page.ts'
import { runLoad } from './load/run-load.ts'

interface Latencies {
  readonly seconds: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

interface Phase extends Latencies {
  readonly peakMiB: { readonly leader: Resident; readonly lost: Resident; readonly other: Resident }
}

interface SnapshotLoad {
  readonly messages: number
  readonly errors: Readonly<Record<string, number>>
  /** All members up, checkpoints under way nearly always; the first third is left out as warm-up. */
  readonly checkpoints: Phase
  /** One follower is dead, or starting with an empty directory. */
  readonly memberDown: Phase
  /** From the offer of the snapshot until it was installed. */
  readonly transfer: Phase
  /** Until the member has the rest of the log and votes. */
  readonly catchUp: Phase
  readonly after: Phase
  readonly snapshotBytes: number
  readonly leaderChanges: number
  readonly equalHashes: boolean
  readonly oldestPage: boolean
}

interface Options {
  readonly messages: number
  readonly conversations: number
  readonly inFlight: number
}

const BODY_BYTES = 256
const CONNECTIONS = 20
const AFTER_MS = 5_000
const PATIENCE_MS = 10 * 60_000
/** The log keeps four segments for peers that lag: too little to bring up an empty member. */
const SEGMENT_BYTES = 4 << 20

async function measure({ messages, conversations, inFlight }: Options): Promise<SnapshotLoad> {
  const cluster = await ProcessCluster.create(3, tmpdir())
  const start = {
    env: { ...NODE_ENVIRONMENT, PARLEY_LOG_LEVEL: 'info' },
    flags: ['--log-segment-bytes', String(SEGMENT_BYTES)],
  }
  try {
    await cluster.startAll(start)
    const leader = await cluster.healthy()
    const before = (await cluster.state(leader))!
    const memory = new NodeMemory(cluster)
    const trace = join(cluster.directory, 'latencies')
    const stop = new AbortController()
    const loading = runLoad(
      {
        target: 'parley',
        url: cluster.node(leader).url,
        connections: CONNECTIONS,
        inFlight,
        conversations,
        bodyBytes: BODY_BYTES,
        warmupMs: 0,
        durationMs: PATIENCE_MS * 2,
        trace,
      },
      stop.signal,
    )
    const began = Date.now()
    await until('the messages are stored', async () => {
      return (await messagesApplied(cluster.node(leader).url)) >= messages
    })
    const killed = Date.now()
    const lost = cluster.nodes.find(({ name }) => name !== leader)!
    const oldId = before.members.find(({ name }) => name === lost.name)!.id
    await cluster.kill(lost.name)
    await rm(lost.data, { recursive: true })
    await cluster.start(lost.name, start)
    await until('the member votes', async () => {
      const members = (await cluster.state(leader))?.members ?? []
      const own = members.filter(({ name }) => name === lost.name)
      return own.length === 1 && own[0]!.role === 'voter' && own[0]!.id !== oldId
    })
    const votes = Date.now()
    await sleep(AFTER_MS)
    const ended = Date.now()
    memory.stop()
    stop.abort()
    const load = await loading
    await cluster.healthy(60_000)
    await cluster.converged(60_000)
    const states = await Promise.all(cluster.nodes.map(({ name }) => cluster.state(name)))
    const offered = await timeOf(cluster, leader, 'snapshot.send')
    const installed = await timeOf(cluster, lost.name, 'snapshot.installed')
    const sent = (await eventsOf(cluster, leader, 'snapshot.sent')).find(({ ok }) => ok === true)
    const latenciesOf = await phases(trace)
    const other = cluster.nodes.find((node) => node !== lost && node.name !== leader)!
    const phase = (fromMs: number, toMs: number): Phase => {
      const of = (node: string) => memory.peak({ node, fromMs, toMs })
      const peakMiB = { leader: of(leader), lost: of(lost.name), other: of(other.name) }
      return { ...latenciesOf(fromMs, toMs), peakMiB }
    }
    return {
      messages: load.stored,
      errors: load.errors,
      checkpoints: phase(began + (killed - began) / 3, killed),
      memberDown: phase(killed, offered),
      transfer: phase(offered, installed),
      catchUp: phase(installed, votes),
      after: phase(votes, ended),
      snapshotBytes: Number(sent?.bytes),
      leaderChanges: Math.max(...states.map((state) => state!.term)) - before.term,
      equalHashes: new Set(states.map((state) => state!.stateHash)).size === 1,
      oldestPage: await oldestPageIsRight(cluster, BODY_BYTES),
    }
  } finally {
    await cluster.close()
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await sleep(100)
  }
}

async function eventsOf(cluster: ProcessCluster, name: string, event: string) {
  const lines = (await cluster.output(name)).split('\n').filter((line) => line.startsWith('{'))
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  return events.filter((each) => each.event === event)
}

async function timeOf(cluster: ProcessCluster, name: string, event: string): Promise<number> {
  const [first] = await eventsOf(cluster, name, event)
  if (first === undefined) throw new Error(`${name} tells of no ${event}: the log was enough`)
  return Date.parse(String(first.time))
}

/** Latencies of what was acknowledged between two times, in ms since the epoch. */
async function phases(trace: string): Promise<(from: number, to: number) => Latencies> {
  const bytes = await readFile(trace)
  const pairs = new Float64Array(new Uint8Array(bytes).buffer)
  return (from, to) => {
    const latencies = pairs.filter((_, at) => {
      const came = pairs[at - 1]!
      return at % 2 === 1 && came >= from && came < to
    })
    latencies.sort()
    const at = (share: number) => {
      const index = Math.min(latencies.length - 1, Math.floor(latencies.length * share))
      return Math.round((latencies[index] ?? NaN) * 10) / 10
    }
    const seconds = Math.round(to - from) / 1000
    const perSecond = Math.round(latencies.length / seconds)
    return { seconds, perSecond, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '300000' },
      conversations: { type: 'string', default: '100000' },
      'in-flight': { type: 'string', default: '50' },
    },
  })
  const result = await measure({
    messages: Number(values.messages),
    conversations: Number(values.conversations),
    inFlight: Number(values['in-flight']),
  })
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
}
