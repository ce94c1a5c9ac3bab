import type { Measured } from '../../bench/load/meter.ts'

export interface MaxStep {
  readonly rate: number
  readonly perSecond: number
  readonly p99Ms: number
  /** Why it was too much; `null`: it was kept up. */
  readonly failed: string | null
}

/** The highest rate that was kept up, as far as was looked. */
export interface FoundMax {
  /** `null`: not even the lowest that was tried. */
  readonly rate: number | null
  readonly p99LimitMs: number
  readonly steps: readonly MaxStep[]
}

/** What failed is at most this much above what did not. */
const CLOSE = 1.1
const MOST_STEPS = 12
const LEAST_SHARE = 0.95
const MOST_ERRORS = 0.001

export interface FindMaxOptions {
  readonly from: number
  readonly p99LimitMs: number
  /** Measures a rate; `null`: it was interrupted. */
  readonly measure: (rate: number) => Promise<Measured | null>
  readonly onStep?: (step: MaxStep) => void
}

/** Doubles the rate until it is not kept up, or halves it until it is, and then closes in. */
export async function findMax(
  options: FindMaxOptions,
): Promise<{ readonly found: FoundMax; readonly best: Measured | null }> {
  const { p99LimitMs, measure, onStep } = options
  const steps: MaxStep[] = []
  let kept: { rate: number; measured: Measured } | null = null
  let tooMuch: number | null = null
  for (let rate = options.from; steps.length < MOST_STEPS && rate >= 1;) {
    const measured = await measure(rate)
    if (measured === null) break
    const failed = whyTooMuch(rate, measured, p99LimitMs)
    const step = { rate, perSecond: measured.perSecond, p99Ms: measured.p99Ms, failed }
    steps.push(step)
    onStep?.(step)
    if (failed === null) kept = { rate, measured }
    else tooMuch = rate
    if (kept !== null && tooMuch !== null && tooMuch / kept.rate <= CLOSE) break
    rate = Math.round(nextRate(kept?.rate ?? null, tooMuch))
    if (steps.some((one) => one.rate === rate)) break
  }
  return {
    found: { rate: kept?.rate ?? null, p99LimitMs, steps },
    best: kept?.measured ?? null,
  }
}

function nextRate(kept: number | null, tooMuch: number | null): number {
  if (tooMuch === null) return kept! * 2
  return kept === null ? tooMuch / 2 : (kept + tooMuch) / 2
}

function whyTooMuch(rate: number, measured: Measured, p99LimitMs: number): string | null {
  const { perSecond, seconds, p99Ms, count, errors, unknown } = measured
  const failures = Object.values(errors).reduce((sum, times) => sum + times, unknown)
  if (failures > MOST_ERRORS * (count + failures)) {
    const codes = [...Object.keys(errors), ...(unknown > 0 ? ['outcome unknown'] : [])]
    return `${failures} failed: ${codes.join(', ')}`
  }
  if (count === 0) return 'nothing was measured'
  // What began last may have its answer after the end.
  const share = LEAST_SHARE * Math.max(0, 1 - p99LimitMs / 1_000 / seconds)
  if (perSecond < share * rate) return `only ${perSecond}/s of ${rate}/s`
  return p99Ms > p99LimitMs ? `p99 ${p99Ms} ms` : null
}
