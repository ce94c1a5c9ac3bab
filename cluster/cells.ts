/**
 * Cells that a hot path counts in: a number field, or an array of bucket counts. An increment costs
 * a few nanoseconds where the metric objects of a client library cost hundreds; they are read only
 * when somebody scrapes.
 */
export class CounterCell {
  value = 0

  add(amount = 1): void {
    this.value += amount
  }
}

/** Upper bounds in seconds for everything that is a duration. */
export const DURATION_BUCKETS_S: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
]

/** Upper bounds for everything that is a number of things. */
export const COUNT_BUCKETS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]

/** One counter per value of a closed list. */
export function counterCells<Value extends string>(
  ...values: readonly Value[]
): Readonly<Record<Value, CounterCell>> {
  const cells = {} as Record<Value, CounterCell>
  for (const value of values) cells[value] = new CounterCell()
  return cells
}

export class HistogramCell {
  /** Ascending upper bounds. */
  readonly bounds: readonly number[]
  /** Observations per bucket, not cumulative; the last one is above every bound. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[] = DURATION_BUCKETS_S) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const { bounds, counts } = this
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++
    counts[bucket] = (counts[bucket] as number) + 1
    this.sum += value
  }
}
