import { readFileSync } from 'node:fs'
import { CliError, ExitCode } from '../exit-codes.ts'
import type { BenchReport, Kind, Settings } from './bench-report.ts'

/** Below this, differences of latencies are the clock's and the machine's. */
const SLACK_MS = 1

/** A figure beside the one of before. */
export interface Compared {
  readonly figure: string
  readonly before: number
  readonly now: number
  /** At most, or of a rate at least. */
  readonly allowed: number
  readonly isWorse: boolean
}

const SAME: readonly (keyof Settings)[] = [
  ...(['rate', 'inFlight', 'clients', 'conversations'] as const),
  ...(['bodyBytes', 'backlog'] as const),
]

/** @throws CliError if it is not what `--json` printed */
export function readBaseline(path: string): BenchReport {
  let said: Partial<BenchReport> | null
  try {
    said = JSON.parse(readFileSync(path, 'utf8')) as Partial<BenchReport> | null
  } catch (error) {
    const { message } = error as Error
    throw new CliError(ExitCode.usage, `cannot read ${path}: ${message}`, { cause: error })
  }
  const { measured, settings, max } = said ?? {}
  const figures = [measured?.perSecond, measured?.p50Ms, measured?.p99Ms]
  const isWhole = figures.every((value) => Number.isFinite(value)) && typeof settings === 'object'
  if (said?.schema === 1 && isWhole && max !== undefined) return said as BenchReport
  throw new CliError(
    ExitCode.usage,
    `${path} holds no result: keep one with "parley bench … --json"`,
  )
}

/** What is about to be measured. */
interface Planned {
  readonly bench: Kind
  readonly settings: Settings
  readonly findsMax: boolean
}

/** @throws CliError if the baseline measured something else */
export function requireComparable(
  before: BenchReport,
  { bench, settings, findsMax }: Planned,
): void {
  if (before.bench !== bench || (before.max !== null) !== findsMax) {
    const named = (kind: string, isMax: boolean) => kind + (isMax ? ' --find-max' : '')
    const was = named(before.bench, before.max !== null)
    const is = named(bench, findsMax)
    throw new CliError(ExitCode.usage, `the baseline is of ${was}, this is ${is}`)
  }
  // Where the rate is looked for, it is no setting.
  const same = findsMax ? SAME.filter((name) => name !== 'rate') : SAME
  const other = same.filter((name) => before.settings[name] !== settings[name])
  if (other.length === 0) return
  const named = other.map((name) => `${name} ${before.settings[name]}`)
  throw new CliError(ExitCode.usage, `the baseline was measured with ${named.join(', ')}`)
}

/** Of two that are comparable, each figure that counts. */
export function compare(
  before: BenchReport,
  now: BenchReport,
  tolerance: number,
): readonly Compared[] {
  if (now.max !== null && before.max !== null) {
    return [rate('most per second', before.max.rate ?? 0, now.max.rate ?? 0)]
  }
  return [
    rate('per second', before.measured.perSecond, now.measured.perSecond),
    latency('p50', before.measured.p50Ms, now.measured.p50Ms),
    latency('p99', before.measured.p99Ms, now.measured.p99Ms),
  ]

  function rate(figure: string, was: number, is: number): Compared {
    const allowed = was * (1 - tolerance)
    return { figure, before: was, now: is, allowed: rounded(allowed), isWorse: is < allowed }
  }
  function latency(figure: string, was: number, is: number): Compared {
    const allowed = was * (1 + tolerance) + SLACK_MS
    return { figure, before: was, now: is, allowed: rounded(allowed), isWorse: is > allowed }
  }
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

export function comparedText(compared: readonly Compared[]): string {
  return compared
    .map(({ figure, before, now, allowed, isWorse }) => {
      const unit = figure.startsWith('p') && figure !== 'per second' ? ' ms' : ''
      return `baseline  ${figure} ${now}${unit}, was ${before}${unit}, allowed ${allowed}${unit}: ${isWorse ? 'WORSE' : 'ok'}`
    })
    .join('\n')
}
