import { setTimeout as sleep } from 'node:timers/promises'
import { DrillListener } from '../../chaos/drills/drill-listener.ts'
import { DrillMetrics } from '../../chaos/drills/drill-metrics.ts'
import { DRILLS, type NamedDrill } from '../../chaos/drills/named-drill.ts'
import { runNamedDrill } from '../../chaos/drills/run-named-drill.ts'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { note, print, printJson } from '../output.ts'
import { onStopSignals } from '../stop-signals.ts'
import { drillText, verdictOf } from './drill-report.ts'

export interface DrillFlags {
  readonly rounds: number
  readonly nodes: number
  readonly senders: number
  readonly hold: number
  readonly metricsPort?: number
  readonly linger: number
  readonly json?: boolean
}

/** Runs a drill on a cluster of its own, and removes that unless something was wrong. */
export async function runDrillCommand(name: string, flags: DrillFlags): Promise<void> {
  const drill = DRILLS[name]
  if (drill === undefined) {
    const known = Object.keys(DRILLS).join(', ')
    throw new CliError(ExitCode.usage, `there is no drill ${name}: there are ${known}`)
  }
  const stopping = new AbortController()
  // Its nodes see that this process is gone, and end.
  const stopNow = () => process.exit(ExitCode.failed)
  onStopSignals(['SIGINT', 'SIGTERM'], { stop: () => stopping.abort(), stopNow })
  const cluster = await ProcessCluster.create(flags.nodes)
  let isKept = true
  try {
    isKept = !(await perform(name, drill, cluster, { flags, signal: stopping.signal }))
  } finally {
    await cluster.close(isKept)
    if (isKept) note(`parley: data and logs of the nodes are in ${cluster.directory}`)
  }
}

/** Whether there is nothing to look at any more. */
async function perform(
  name: string,
  drill: NamedDrill,
  cluster: ProcessCluster,
  { flags, signal }: { readonly flags: DrillFlags; readonly signal: AbortSignal },
): Promise<true> {
  const { rounds, senders, hold: holdMs, metricsPort, linger, json } = flags
  const metrics = new DrillMetrics(
    name,
    cluster.nodes.map(({ name: node }) => node),
  )
  const listener =
    metricsPort === undefined
      ? null
      : await DrillListener.listen(metricsPort, metrics, cluster.nodes).catch((error: unknown) => {
          const why = (error as NodeJS.ErrnoException).code ?? String(error)
          throw new CliError(ExitCode.failed, `cannot serve metrics on port ${metricsPort}: ${why}`)
        })
  try {
    if (listener !== null) {
      note(`parley: metrics at http://127.0.0.1:${listener.port}/metrics, targets at /targets`)
    }
    note(`parley: starting ${cluster.nodes.length} nodes`)
    await cluster.startAll()
    await cluster.healthy()
    const say = (line: string) => note(`parley: ${line}`)
    const report = await runNamedDrill({
      ...{ drill, cluster, rounds, senders, holdMs, metrics, say, signal },
    })
    if (json === true) printJson({ schema: 1, drill: name, verdict: verdictOf(report), ...report })
    else print(drillText(name, report))
    if (listener !== null) {
      note(`parley: the verdict is served for ${linger / 1_000} s more; Ctrl-C ends that`)
      await sleep(linger, undefined, { signal }).catch(() => {})
    }
    if (report.violations.length > 0) throw new CliError(ExitCode.failed)
    if (report.rounds === 0) {
      throw new CliError(ExitCode.outcomeUnknown, 'ended before anything was broken')
    }
    return true
  } catch (error) {
    metrics.failed()
    throw error
  } finally {
    await listener?.close()
  }
}
