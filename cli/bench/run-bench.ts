import { randomBytes } from 'node:crypto'
import { DeliverLoad } from '../../bench/load/deliver-load.ts'
import type { Load, Verdict } from '../../bench/load/load.ts'
import type { LoadTarget } from '../../bench/load/load-target.ts'
import { machine } from '../../bench/load/machine.ts'
import { measureLoad } from '../../bench/load/measure-load.ts'
import { type Measured, Meter } from '../../bench/load/meter.ts'
import type { Pace } from '../../bench/load/pacer.ts'
import { SendLoad } from '../../bench/load/send-load.ts'
import { SyncLoad } from '../../bench/load/sync-load.ts'
import { ConnectError } from '../../bench/load/wire-connection.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { onStopSignals } from '../stop-signals.ts'
import { readToken, tokenHeaders } from '../token-file.ts'
import { compare, comparedText, readBaseline, requireComparable } from './baseline.ts'
import { benchCluster } from './bench-cluster.ts'
import { type BenchReport, benchText, type Kind, type Settings, verdictOf } from './bench-report.ts'
import { type FoundMax, findMax } from './find-max.ts'
import { beginFigures } from './node-figures.ts'

export interface BenchFlags {
  readonly url?: string[]
  readonly tokenFile?: string
  readonly serviceTokenFile?: string
  readonly nodes?: number
  readonly yes?: boolean
  readonly rate?: number
  readonly inFlight?: number
  readonly clients: number
  readonly conversations: number
  readonly body: number
  readonly backlog?: number
  readonly warmup: number
  readonly duration: number
  readonly baseline?: string
  readonly tolerance: number
  readonly findMax?: boolean
  readonly p99: number
  readonly json?: boolean
}

interface Outcome {
  readonly measured: Measured
  readonly max: FoundMax | null
  readonly verified: Verdict | null
}

const DEFAULT_RATE: Readonly<Record<Kind, number>> = { send: 500, deliver: 500, sync: 20 }
/** Clients of the SDK in this process. */
const MOST_RECEIVERS = 1_000
const NODE_TIMEOUT_MS = 5_000

/** Puts a load on a cluster, says what it measured, and proves that nothing was lost. */
export async function runBench(kind: Kind, flags: BenchFlags): Promise<void> {
  const before = flags.baseline === undefined ? null : readBaseline(flags.baseline)
  const settings = settingsOf(kind, flags)
  if (before !== null) {
    requireComparable(before, { bench: kind, settings, findsMax: flags.findMax === true })
  }
  const { serviceTokenFile } = flags
  const token = serviceTokenFile === undefined ? {} : { token: () => readToken(serviceTokenFile) }
  const headers = tokenHeaders(flags.tokenFile)
  const stopping = new AbortController()
  const stopNow = () => process.exit(ExitCode.failed)
  onStopSignals(['SIGINT', 'SIGTERM'], { stop: () => stopping.abort(), stopNow })
  const cluster = await benchCluster(flags)
  let isKept = false
  try {
    const users = `bench-${randomBytes(4).toString('hex')}`
    const target = { urls: cluster.urls, prefix: users, ...token }
    const startedAt = new Date().toISOString()
    const figures = await beginFigures(cluster.urls, { timeoutMs: NODE_TIMEOUT_MS, headers })
    note(`parley: the users of this bench are ${users}-*; what they write stays`)
    const load = loadOf(kind, target, settings)
    const outcome = await perform(load, settings, { flags, signal: stopping.signal })
    const report: BenchReport = {
      ...{ schema: 1, bench: kind, users, startedAt, settings },
      endedEarly: stopping.signal.aborted,
      ...outcome,
      nodes: await figures(),
      machine: machine(),
    }
    isKept = verdictOf(report) === 'broken'
    const compared = before === null ? [] : compare(before, report, flags.tolerance)
    if (flags.json === true) printJson({ ...report, verdict: verdictOf(report), compared })
    else print([benchText(report), ...(before ? [comparedText(compared)] : [])].join('\n'))
    if (before !== null && before.machine?.model !== report.machine.model) {
      note('parley: the baseline is of another machine')
    }
    endAsFits(
      report,
      compared.some(({ isWorse }) => isWorse),
    )
  } catch (error) {
    if (error instanceof ConnectError) throw refusalOf(error)
    throw error
  } finally {
    await cluster.close(isKept)
  }
}

/** @throws CliError if that many cannot receive here */
function settingsOf(kind: Kind, flags: BenchFlags): Settings {
  const receivers = Math.ceil(flags.conversations / flags.clients)
  if (kind === 'deliver' && receivers > MOST_RECEIVERS) {
    throw new CliError(
      ExitCode.usage,
      `${receivers} users would receive, at most ${MOST_RECEIVERS} can: more --clients, or fewer --conversations`,
    )
  }
  const { rate = DEFAULT_RATE[kind], inFlight = null } = flags
  return {
    rate: inFlight === null ? rate : null,
    inFlight,
    clients: Math.min(flags.clients, flags.conversations),
    conversations: flags.conversations,
    bodyBytes: flags.body,
    backlog: flags.backlog ?? null,
    warmupMs: flags.warmup,
    durationMs: flags.duration,
  }
}

function loadOf(kind: Kind, target: LoadTarget, settings: Settings): Load {
  const { clients, conversations, bodyBytes, backlog } = settings
  const shape = { clients, conversations, bodyBytes }
  if (kind === 'send') return new SendLoad(target, shape)
  if (kind === 'deliver') return new DeliverLoad(target, shape)
  return new SyncLoad(target, { ...shape, backlog: backlog ?? 0 })
}

async function perform(
  load: Load,
  settings: Settings,
  { flags, signal }: { readonly flags: BenchFlags; readonly signal: AbortSignal },
): Promise<Outcome> {
  const { warmupMs, durationMs, rate, inFlight } = settings
  const measure = (pace: Pace) =>
    measureLoad(load, { pace, warmupMs, durationMs, signal, onInterval: progress() })
  let result: () => Measured = () => new Meter().result()
  let max: FoundMax | null = null
  try {
    if (settings.backlog !== null) {
      note(`parley: sending ${settings.backlog} messages for each user, to wait for it`)
    }
    await load.open(signal)
    if (flags.findMax === true) {
      const from = rate!
      const { found, best } = await findMax({
        from,
        p99LimitMs: flags.p99,
        measure: async (perSecond) => {
          const measured = (await measure({ kind: 'open', perSecond }))()
          // What still has no answer may be of this step.
          const unknown = measured.unknown + load.underWay
          return signal.aborted ? null : { ...measured, unknown }
        },
        onStep: ({ rate: tried, perSecond, p99Ms, failed }) =>
          note(
            `parley: ${tried}/s: ${failed === null ? 'kept up' : 'too much'}, ${failed ?? `${perSecond}/s with p99 ${p99Ms} ms`}`,
          ),
      })
      max = found
      if (best !== null) result = () => best
    } else if (!signal.aborted) {
      result = await measure(
        inFlight === null ? { kind: 'open', perSecond: rate! } : { kind: 'closed', inFlight },
      )
    }
  } finally {
    await load.close()
  }
  return { measured: result(), max, verified: await verify(load) }
}

async function verify(load: Load): Promise<Verdict | null> {
  let toldMs = performance.now()
  try {
    return await load.verify((done, all) => {
      if (performance.now() - toldMs < 1_000) return
      toldMs = performance.now()
      note(`parley: reading back, ${done} of ${all} conversations`)
    })
  } catch (error) {
    note(`parley: what was written cannot be read back: ${(error as Error).message}`)
    return null
  }
}

function progress() {
  let seconds = 0
  return (told: { count: number; p99Ms: number; errors: number; underWay: number }) => {
    seconds += 1
    const { count, p99Ms, errors, underWay } = told
    note(
      `parley: ${seconds} s · ${count}/s · p99 ${p99Ms} ms · ${errors} errors · ${underWay} under way`,
    )
  }
}

function endAsFits(report: BenchReport, isWorse: boolean): void {
  const verdict = verdictOf(report)
  if (verdict === 'broken') {
    throw new CliError(
      ExitCode.unhealthy,
      'the cluster does not keep what it acknowledged: keep the data, and look with parley doctor and parley verify',
    )
  }
  if (report.verified === null) {
    throw new CliError(ExitCode.outcomeUnknown, 'nothing is proven; parley status says why')
  }
  if (report.max !== null && report.max.rate === null && !report.endedEarly) {
    throw new CliError(
      ExitCode.failed,
      'no rate was kept up: begin lower with --rate, or allow more with --p99',
    )
  }
  if (verdict === 'unproven') {
    const isCut = report.endedEarly
    throw new CliError(
      isCut ? ExitCode.outcomeUnknown : ExitCode.failed,
      isCut ? 'ended before anything was measured' : 'nothing succeeded: see the errors',
    )
  }
  if (isWorse) throw new CliError(ExitCode.failed, 'worse than the baseline')
}

function refusalOf(error: ConnectError): CliError {
  const isAboutWho = /AUTHENTICATION|FORBIDDEN|HTTP_401|HTTP_403/.test(error.code)
  const advice = isAboutWho
    ? ': a bench speaks as many users, with --service-token-file (parley token --role service)'
    : ': parley status says how the cluster is'
  return new CliError(error.isFinal ? ExitCode.refused : ExitCode.failed, error.message + advice, {
    cause: error,
  })
}
