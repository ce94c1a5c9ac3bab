/**
 * Acknowledged messages per second and latency of three real nodes on this machine, beside the bare
 * limit under the same load, in one run (docs/performance.md).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BareCluster } from './bare/bare-cluster.ts'
import { atLeast, readArguments } from './load/arguments.ts'
import { MeasuredCluster } from './load/measured-cluster.ts'
import type { LoadResult, LoadSpec } from './load/load-spec.ts'
import { describeMachine } from './load/machine.ts'
import { runLoad } from './load/run-load.ts'

const USAGE = `Acknowledged messages per second and latency, beside the bare limit.

  npm run bench -- [--seconds 60] [--warmup 10] [--loads many,hot] [--in-flight 1,100,1000]
                   [--body 256] [--only parley|bare]

  --loads   many, hot, or a number of conversations`

const CONVERSATIONS: Readonly<Record<string, number>> = { many: 1_000, hot: 1 }

const values = readArguments(
  'bench',
  USAGE,
  {
    seconds: { type: 'string', default: '60' },
    warmup: { type: 'string', default: '10' },
    loads: { type: 'string', default: 'many,hot' },
    'in-flight': { type: 'string', default: '1,100,1000' },
    body: { type: 'string', default: '256' },
    only: { type: 'string' },
  },
  (given) => {
    const loads = given.loads.split(',')
    for (const load of loads) if (!(load in CONVERSATIONS)) atLeast(1, '--loads', load)
    if (given.only !== undefined && !['parley', 'bare'].includes(given.only)) {
      throw new Error(`--only must be parley or bare, not "${given.only}"`)
    }
    return {
      loads,
      inFlight: given['in-flight'].split(',').map((text) => atLeast(1, '--in-flight', text)),
      seconds: atLeast(1, '--seconds', given.seconds),
      warmup: atLeast(0, '--warmup', given.warmup),
      body: atLeast(1, '--body', given.body),
      only: given.only,
    }
  },
)

function shape(inFlight: number, load: string): Pick<LoadSpec, 'connections' | 'inFlight'> {
  const connections = load === 'hot' ? 1 : Math.min(20, inFlight)
  return { connections, inFlight: Math.ceil(inFlight / connections) }
}

const line = (name: string, result: LoadResult) =>
  `  ${name.padEnd(8)} ${String(result.perSecond).padStart(7)}/s  p50 ${result.p50Ms} ms  p99 ${result.p99Ms} ms  p99.9 ${result.p999Ms} ms  max ${result.maxMs} ms` +
  (Object.keys(result.errors).length > 0 ? `  errors ${JSON.stringify(result.errors)}` : '')

async function main(): Promise<void> {
  process.stdout.write(`${describeMachine()}\n`)
  const directory = await mkdtemp(join(tmpdir(), 'parley-bench-'))
  try {
    for (const load of values.loads) {
      for (const inFlight of values.inFlight) {
        await compare(directory, load, inFlight)
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function compare(directory: string, load: string, inFlight: number): Promise<void> {
  const conversations = CONVERSATIONS[load] ?? Number(load)
  const spec = (target: LoadSpec['target'], url: string): LoadSpec => ({
    target,
    url,
    ...shape(inFlight, load),
    conversations,
    bodyBytes: values.body,
    warmupMs: values.warmup * 1000,
    durationMs: values.seconds * 1000,
  })
  const { connections, inFlight: each } = shape(inFlight, load)
  process.stdout.write(
    `${conversations} conversation(s), ${connections} connection(s) × ${each} in flight, ${values.body} B bodies, ${values.seconds} s after ${values.warmup} s\n`,
  )
  let bare: LoadResult | null = null
  if (values.only !== 'parley') {
    const cluster = await BareCluster.start(directory)
    bare = await runLoad(spec('bare', cluster.url))
    await cluster.stop()
    process.stdout.write(`${line('bare', bare)}\n`)
  }
  if (values.only === 'bare') return
  const cluster = await MeasuredCluster.start(join(directory, `${load}-${inFlight}`))
  const parley = await runLoad(spec('parley', await cluster.leaderUrl()))
  process.stdout.write(`${line('parley', parley)}\n`)
  const held = await cluster.verify(parley.stored)
  await cluster.stop()
  const share =
    bare === null ? '' : `${((parley.perSecond / bare.perSecond) * 100).toFixed(0)} % of bare; `
  process.stdout.write(
    `  ${share}store verified: ${held} messages on each node, equal state hashes\n`,
  )
}

await main()
