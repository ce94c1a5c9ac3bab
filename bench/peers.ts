/**
 * Parley beside other replicated systems: three nodes each on this machine, one system after the
 * other over several rounds, the same load, and what each of them syncs (docs/performance.md).
 */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { atLeast, readArguments } from './load/arguments.ts'
import { describeMachine } from './load/machine.ts'
import { etcd } from './peers/etcd.ts'
import { nats } from './peers/nats.ts'
import { parley } from './peers/parley.ts'
import { rabbitmq } from './peers/rabbitmq.ts'
import { runRounds } from './peers/rounds.ts'
import { comparisonTable } from './peers/table.ts'

const USAGE = `Parley beside etcd, NATS JetStream and RabbitMQ, as far as they are installed.

  node bench/peers.ts [--rounds 3] [--seconds 10] [--warmup 5] [--in-flight 1,100,1000]
                      [--body 256] [--only parley,etcd,nats,rabbitmq]`

const KINDS = [parley, etcd, nats, rabbitmq]
const NAMES = KINDS.map(({ name }) => name as string)

const values = readArguments(
  'peers',
  USAGE,
  {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    warmup: { type: 'string', default: '5' },
    'in-flight': { type: 'string', default: '1,100,1000' },
    body: { type: 'string', default: '256' },
    only: { type: 'string', default: NAMES.join() },
  },
  (given) => {
    const only = given.only.split(',')
    const unknown = only.find((name) => !NAMES.includes(name))
    if (unknown !== undefined) throw new Error(`--only knows ${NAMES.join()}, not "${unknown}"`)
    return {
      rounds: atLeast(1, '--rounds', given.rounds),
      inFlight: given['in-flight'].split(',').map((text) => atLeast(1, '--in-flight', text)),
      seconds: atLeast(1, '--seconds', given.seconds),
      warmup: atLeast(0, '--warmup', given.warmup),
      body: atLeast(1, '--body', given.body),
      only,
    }
  },
)

const load = () => loadavg().map((value) => value.toFixed(1))[0]!

async function main(): Promise<void> {
  process.stdout.write(`${describeMachine()}, load average ${load()}\n`)
  const kinds = KINDS.filter((kind) => {
    if (!values.only.includes(kind.name)) return false
    const missing = kind.missing()
    if (missing !== null) process.stdout.write(`${kind.name} left out: ${missing}\n`)
    return missing === null
  })
  const directory = await mkdtemp(join(tmpdir(), 'parley-peers-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const about: string[] = []
  const runs = await runRounds({
    kinds,
    rounds: values.rounds,
    inFlight: values.inFlight,
    load: {
      bodyBytes: values.body,
      warmupMs: values.warmup * 1000,
      durationMs: values.seconds * 1000,
    },
    directory,
    started: (name, { version, shape, fsync }) =>
      about.push(`- ${name} ${version}: ${shape}; fsync ${fsync}`),
    ended: ({ round, system, inFlight, result, nodesCpuUs }) => {
      const refused =
        Object.keys(result.errors).length > 0 ? `  errors ${JSON.stringify(result.errors)}` : ''
      process.stdout.write(
        `round ${round + 1}  ${system.padEnd(8)} ${String(inFlight).padStart(5)} in flight  ${String(result.perSecond).padStart(7)}/s  p50 ${result.p50Ms} ms  p99 ${result.p99Ms} ms  CPU ${nodesCpuUs.toFixed(0)} + ${result.clientCpuUs} µs  held what it acknowledged: ${result.stored}${refused}\n`,
      )
    },
  })
  process.stdout.write(
    `\nMedians of ${values.rounds} round(s) of ${values.seconds} s after ${values.warmup} s, ${values.body} B bodies, up to 20 connections, load average ${load()} at the end\n\n`,
  )
  process.stdout.write(`${comparisonTable(runs)}\n\n${about.join('\n')}\n`)
}

await main()
