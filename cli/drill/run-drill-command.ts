import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { DrillListener } from '../../chaos/drills/drill-listener.ts'
import { DrillMetrics } from '../../chaos/drills/drill-metrics.ts'
import type { Drill } from '../../chaos/drills/drill.ts'
import { type NamedDrillReport, runNamedDrill } from '../../chaos/drills/run-named-drill.ts'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { onStopSignals } from '../stop-signals.ts'
import { chooseDrill, isCutting, requireMembers } from './choose-drill.ts'
import { drillText, verdictOf } from './drill-report.ts'

export interface DrillFlags {
  readonly rounds: number
  /** @default what the drill asks for, or 3 */
  readonly nodes?: number
  readonly senders: number
  readonly hold: number
  readonly metricsPort?: number
  readonly linger: number
  readonly json?: boolean
}

/**
 * Runs a drill, which has a name or is in a file, on a cluster of its own, and removes that unless
 * something was wrong.
 */
export async function runDrillCommand(nameOrFile: string, flags: DrillFlags): Promise<void> {
  const { name, drill } = chooseDrill(nameOrFile)
  const size = flags.nodes ?? drill.nodes ?? 3
  requireMembers(drill, size)
  const stopping = new AbortController()
  // Its nodes see that this process is gone, and end.
  const stopNow = () => process.exit(ExitCode.failed)
  onStopSignals(['SIGINT', 'SIGTERM'], { stop: () => stopping.abort(), stopNow })
  const { signal } = stopping
  const cluster = await ProcessCluster.create(size, tmpdir(), 'http', isCutting(drill))
  cluster.isApart = true
  const names = cluster.nodes.map(({ name: node }) => node)
  const metrics = new DrillMetrics(name, names)
  let listener: DrillListener | null = null
  let isKept = false
  try {
    listener = await listen(flags, metrics, cluster)
    const report = await perform(drill, cluster, { flags, metrics, signal }).catch((error) => {
      isKept = true
      const why = (error as Error).message
      throw new CliError(ExitCode.failed, `the drill could not be done: ${why}`, { cause: error })
    })
    isKept = report.violations.length > 0
    if (flags.json === true) {
      printJson({ schema: 1, drill: name, verdict: verdictOf(report), ...report })
    } else print(drillText(name, report))
    if (listener !== null) await linger(flags.linger, signal)
    if (report.violations.length > 0) throw new CliError(ExitCode.failed)
    if (report.rounds === 0) {
      throw new CliError(ExitCode.outcomeUnknown, 'ended before anything was broken')
    }
  } finally {
    await listener?.close()
    await cluster.close(isKept)
    if (isKept) note(`parley: data and logs of the nodes are in ${cluster.directory}`)
  }
}

async function perform(
  drill: Drill,
  cluster: ProcessCluster,
  {
    flags: { rounds, senders, hold: holdMs },
    metrics,
    signal,
  }: {
    readonly flags: DrillFlags
    readonly metrics: DrillMetrics
    readonly signal: AbortSignal
  },
): Promise<NamedDrillReport> {
  note(`parley: starting ${cluster.nodes.length} nodes`)
  await cluster.startAll()
  await cluster.healthy()
  const say = (line: string) => note(`parley: ${line}`)
  return runNamedDrill({ drill, cluster, rounds, senders, holdMs, metrics, say, signal })
}

async function listen(
  { metricsPort }: DrillFlags,
  metrics: DrillMetrics,
  { nodes }: ProcessCluster,
): Promise<DrillListener | null> {
  if (metricsPort === undefined) return null
  try {
    const listener = await DrillListener.listen(metricsPort, metrics, nodes)
    note(`parley: metrics at http://127.0.0.1:${listener.port}/metrics, targets at /targets`)
    return listener
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new CliError(
      ExitCode.failed,
      `cannot serve metrics on 127.0.0.1:${metricsPort}: ${why}; name another port`,
    )
  }
}

/** What was scraped last is the verdict. */
async function linger(ms: number, signal: AbortSignal): Promise<void> {
  note(`parley: the verdict is served for ${ms / 1_000} s more; Ctrl-C ends that`)
  await sleep(ms, undefined, { signal }).catch(() => {})
}
