import type { LoadResult } from '../load/load-spec.ts'
import type { Run } from './rounds.ts'

const OURS = 'parley'
const HEADER = [
  ...['in flight', 'system', 'acknowledged/s', 'p50', 'p99', 'Parley ÷ it'],
  ...['CPU of the nodes', 'of the client'],
]

/**
 * Medians over the rounds, as a table of Markdown. The ratio is the median of the ratios within a
 * round, since rounds differ more than systems do within one. CPU is per acknowledged message, and
 * is what to compare on a machine that has other work: who has more threads gets more of it.
 */
export function comparisonTable(runs: readonly Run[]): string {
  const rows = [...new Set(runs.map(({ inFlight }) => inFlight))].flatMap((inFlight) => {
    const here = runs.filter((run) => run.inFlight === inFlight)
    return [...new Set(here.map(({ system }) => system))].map((system) => row(here, system))
  })
  return [HEADER, HEADER.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

function row(runs: readonly Run[], system: string): string[] {
  const own = runs.filter((run) => run.system === system)
  const results = own.map(({ result }) => result)
  const rates = results.map(({ perSecond }) => perSecond)
  const ratios = own.flatMap(({ round, result }) => {
    const ours = runs.find((run) => run.system === OURS && run.round === round)
    return ours === undefined ? [] : [ours.result.perSecond / result.perSecond]
  })
  const middle = (pick: (result: LoadResult) => number) => median(results.map(pick))
  const span =
    rates.length > 1 ? ` (${count(Math.min(...rates))}–${count(Math.max(...rates))})` : ''
  return [
    count(own[0]!.inFlight),
    system,
    count(median(rates)) + span,
    `${significant(middle(({ p50Ms }) => p50Ms))} ms`,
    `${significant(middle(({ p99Ms }) => p99Ms))} ms`,
    ratios.length === 0 || system === OURS ? '' : `${significant(median(ratios))}`,
    `${significant(median(own.map(({ nodesCpuUs }) => nodesCpuUs)))} µs`,
    `${significant(middle(({ clientCpuUs }) => clientCpuUs))} µs`,
  ]
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

const count = (value: number) => Math.round(value).toLocaleString('en-US')
const significant = (value: number) => Number(value.toPrecision(value < 1 ? 2 : 3))
