import type { RunReport } from '../../chaos/search/run-report.ts'
import { sumOf, type Totals } from '../../chaos/search/search-totals.ts'
import { note } from '../output.ts'

/** One run on one line. */
export function describeRun({ seed, violation, traceHash, stats }: RunReport): string {
  const verdict = violation === null ? 'ok' : violation.property
  if (stats === null) return `seed=${seed} ${verdict}`
  const { nodes, acknowledged, writes, elections, restarts, retired, events } = stats
  const { simulatedMs, cpuMs } = stats
  return `seed=${seed} hash=${traceHash} nodes=${nodes} acked=${acknowledged}/${writes} faults=${sumOf(stats.evidence)}/${sumOf(stats.faults)} elections=${elections} restarts=${restarts} retired=${retired} events=${events} speed=${Math.round(simulatedMs / cpuMs)}x ${verdict}`
}

export function describeTotals(totals: Totals): string {
  const { seeds, violations, simulatedMs, countedMs, cpuMs, evidence, faults } = totals
  const bitten = Object.keys(faults)
    .map((kind) => `${kind} ${grouped(evidence[kind] ?? 0)}/${grouped(faults[kind] ?? 0)}`)
    .join(', ')
  return [
    `${amount(seeds, 'seed')}, ${hours(simulatedMs)} simulated, of which ${hours(countedMs)} count, ${Math.round(simulatedMs / Math.max(1, cpuMs))} × real time per core; ${amount(violations, 'violation')}`,
    `operations   ${grouped(totals.operations)}, ${grouped(totals.acknowledged)} writes acknowledged`,
    `disturbance  ${amount(totals.leaderChanges, 'leader change')}, ${amount(totals.restarts, 'restart')}`,
    `faults       ${grouped(sumOf(faults))} injected, ${grouped(sumOf(evidence))} seen to do something: ${bitten}`,
    `failpoints   ${describeFailpoints(totals)}`,
  ].join('\n')
}

const EVERY_MS = 30_000

/** One line that says how far it is: in place on a terminal, now and then elsewhere. */
export class SimProgress {
  readonly #runs: number
  #shownAt = performance.now()

  constructor(runs: number) {
    this.#runs = runs
  }

  show({ seeds, simulatedMs, cpuMs, evidence, violations }: Totals): void {
    const of = this.#runs === Infinity ? '' : ` of ${grouped(this.#runs)}`
    const line = `${amount(seeds, 'seed')}${of} · ${hours(simulatedMs)} simulated · ${Math.round(simulatedMs / Math.max(1, cpuMs))} × real time per core · ${grouped(sumOf(evidence))} faults · ${amount(violations, 'violation')}`
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\u001B[K${line}`)
      return
    }
    if (performance.now() - this.#shownAt < EVERY_MS) return
    this.#shownAt = performance.now()
    note(line)
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001B[K')
  }
}

/** Deaths at each place of how often a process came by it. */
function describeFailpoints({ failpoints, failpointHits }: Totals): string {
  const names = Object.keys(failpointHits)
  const parts = names.map(
    (name) => `${name} ${grouped(failpoints[name] ?? 0)}/${grouped(failpointHits[name] ?? 0)}`,
  )
  const places = `${Object.keys(failpoints).length} of ${amount(names.length, 'place')} reached`
  return `${amount(sumOf(failpoints), 'death')} at ${places}: ${parts.join(', ')}`
}

function hours(ms: number): string {
  return ms < 3_600_000 ? `${Math.round(ms / 1_000)} s` : `${(ms / 3_600_000).toFixed(2)} h`
}

function amount(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
