/**
 * What clients notice of a backup: sends at a rate, before, while and after the real command takes one
 * of a cluster that holds something (docs/performance.md).
 *
 *     node bench/backup-load.ts [--messages 500000] [--rate 1000] [--seconds 20] [--rounds 3]
 */
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { PacedLoad } from '../chaos/backup/paced-load.ts'
import { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { parley } from '../cli/dev/testing/dev-process.ts'
import { messagesApplied } from './load/messages-applied.ts'
import { NODE_ENVIRONMENT } from './load/node-environment.ts'
import { runLoad } from './load/run-load.ts'

interface Options {
  /** Stored before anything is measured. */
  readonly messages: number
  /** Sends per second while it is measured. */
  readonly rate: number
  /** Of each window without a backup. */
  readonly seconds: number
  readonly rounds: number
}

interface Round {
  readonly backupMiB: number
  readonly backupSeconds: number
  /** Delays of 99 of 100 sends, in ms, each from when it was due. */
  readonly p99Ms: { readonly before: number; readonly during: number; readonly after: number }
  /** Of while it was taken to the mean of before and after. */
  readonly ratio: number
}

const PATIENCE_MS = 10 * 60_000

async function measure({ messages, rate, seconds, rounds }: Options): Promise<Round[]> {
  const cluster = await ProcessCluster.create(3, tmpdir())
  try {
    await cluster.startAll({ env: NODE_ENVIRONMENT })
    await fill(cluster, messages)
    const urls = cluster.nodes.map(({ url }) => url)
    const load = await PacedLoad.connect(urls, rate)
    load.start()
    const measured: Round[] = []
    // The first window warms up what the fill did not use.
    await sleep(seconds * 1_000)
    for (let round = 1; round <= rounds; round += 1) {
      measured.push(await oneRound(cluster, load, round, seconds * 1_000))
    }
    await load.stop()
    return measured
  } finally {
    await cluster.close()
  }
}

async function fill(cluster: ProcessCluster, messages: number): Promise<void> {
  const { url } = cluster.node(await cluster.healthy())
  const stop = new AbortController()
  const loading = runLoad(
    {
      target: 'parley',
      url,
      connections: 20,
      inFlight: 25,
      conversations: 10_000,
      bodyBytes: 256,
      warmupMs: 0,
      durationMs: PATIENCE_MS,
    },
    stop.signal,
  )
  while ((await messagesApplied(url)) < messages) await sleep(100)
  stop.abort()
  await loading
}

async function oneRound(
  cluster: ProcessCluster,
  load: PacedLoad,
  round: number,
  windowMs: number,
): Promise<Round> {
  const file = join(cluster.directory, `${round}.backup`)
  const urls = cluster.nodes.map(({ url }) => url).join(',')
  const quietMs = performance.now()
  await sleep(windowMs)
  const beginMs = performance.now()
  const taken = await parley(['backup', '--to', file, '--url', urls, '--json'], cluster.directory)
  const endMs = performance.now()
  if (taken.code !== 0) throw new Error(taken.stderr)
  await sleep(windowMs)
  await rm(file)
  const p99Ms = {
    before: tenths(load.p99(quietMs, beginMs)),
    during: tenths(load.p99(beginMs, endMs)),
    after: tenths(load.p99(endMs, performance.now())),
  }
  const { bytes } = JSON.parse(taken.stdout) as { bytes: number }
  return {
    backupMiB: tenths(bytes / 2 ** 20),
    backupSeconds: tenths((endMs - beginMs) / 1_000),
    p99Ms,
    ratio: Math.round((p99Ms.during / ((p99Ms.before + p99Ms.after) / 2)) * 100) / 100,
  }
}

const tenths = (value: number): number => Math.round(value * 10) / 10

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      messages: { type: 'string', default: '500000' },
      rate: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '20' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const rounds = await measure({
    messages: Number(values.messages),
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  })
  process.stdout.write(`${JSON.stringify(rounds, null, 2)}\n`)
}
