/**
 * What a node weighs once much is stored: memory, disk, and the time until it serves again after
 * `kill -9` of all (docs/performance.md).
 *
 *     node bench/growth.ts [--messages 2000000] [--conversations 100000]
 */
import { readdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { NODE_ENVIRONMENT } from './load/node-environment.ts'
import { NodeMemory, type Resident } from './load/node-memory.ts'
import { oldestPageIsRight } from './load/oldest-page.ts'
import { runLoad } from './load/run-load.ts'

interface Growth {
  readonly messages: number
  readonly payloadBytes: number
  readonly perSecond: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly errors: Readonly<Record<string, number>>
  readonly leaderTerms: number
  /** The most that any one node had of each kind. */
  readonly peakMiB: Resident
  /** Log and store of the heaviest node. */
  readonly diskBytes: number
  /** From the start of the processes to all ready, after kill -9 of all. */
  readonly readyMs: number
  /** The oldest page of a conversation was what was sent. */
  readonly oldestPage: boolean
}

const BODY_BYTES = 256
const CONNECTIONS = 20
async function measureGrowth(messages: number, conversations: number): Promise<Growth> {
  const cluster = await ProcessCluster.create(3, tmpdir())
  try {
    await cluster.startAll({ env: NODE_ENVIRONMENT })
    const leader = await cluster.healthy()
    const memory = new NodeMemory(cluster)
    const load = await runLoad({
      target: 'parley',
      url: cluster.node(leader).url,
      connections: CONNECTIONS,
      inFlight: 50,
      conversations,
      bodyBytes: BODY_BYTES,
      warmupMs: 0,
      durationMs: 30 * 60_000,
      messages,
    })
    await cluster.converged(60_000)
    const { term } = (await cluster.state(leader))!
    memory.stop()
    const disk = await Promise.all(cluster.nodes.map(({ data }) => bytesOf(data)))
    for (const { name } of cluster.nodes) await cluster.kill(name)
    const from = performance.now()
    await cluster.startAll({ env: NODE_ENVIRONMENT })
    await cluster.healthy(120_000)
    const readyMs = performance.now() - from
    return {
      messages: load.stored,
      payloadBytes: load.stored * BODY_BYTES,
      perSecond: load.perSecond,
      p99Ms: load.p99Ms,
      maxMs: load.maxMs,
      errors: load.errors,
      leaderTerms: term,
      peakMiB: memory.peak(),
      diskBytes: Math.max(...disk),
      readyMs,
      oldestPage: await oldestPageIsRight(cluster, BODY_BYTES),
    }
  } finally {
    await cluster.close()
  }
}

async function bytesOf(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true })
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name)).catch(() => null))?.size ?? 0),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '2000000' },
      conversations: { type: 'string', default: '100000' },
    },
  })
  const growth = await measureGrowth(Number(values.messages), Number(values.conversations))
  process.stdout.write(`${JSON.stringify(growth, null, 2)}\n`)
}
