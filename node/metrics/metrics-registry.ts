import { collectDefaultMetrics, Registry } from 'prom-client'
import { counterCells, CounterCell, HistogramCell } from '#cluster'

export type Labels = Readonly<Record<string, string>>

interface Sample {
  readonly labels: Labels
  readonly value: number
}

/**
 * The metrics of one process. Each name is defined once with its help; cells are made up front, so
 * that every label set is exposed from the start, at 0. What is exposed as text is read from the
 * cells by the scrape.
 */
export class MetricsRegistry {
  readonly #registry = new Registry()

  get contentType(): string {
    return this.#registry.contentType
  }

  /** CPU, memory, descriptors, event-loop delay and garbage collection of this process. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.#registry })
  }

  /** `cell`: one that exists, where others count. */
  counter(name: string, help: string, cell = new CounterCell()): CounterCell {
    this.#define(name, help, 'counter', () => [{ labels: {}, value: cell.value }])
    return cell
  }

  /** One counter per value of one label; the values are a closed list. */
  counters<Value extends string>(
    name: string,
    help: string,
    label: string,
    values: readonly Value[],
    cells: Readonly<Record<Value, CounterCell>> = counterCells(...values),
  ): Readonly<Record<Value, CounterCell>> {
    this.#define(name, help, 'counter', () =>
      values.map((value) => ({ labels: { [label]: value }, value: cells[value].value })),
    )
    return cells
  }

  /** Samples that `collect` reads when scraped; for counters kept elsewhere and tables of them. */
  collected(
    name: string,
    help: string,
    type: 'counter' | 'gauge',
    collect: () => readonly Sample[] | Promise<readonly Sample[]>,
  ): void {
    this.#define(name, help, type, collect)
  }

  /** A value that is read when somebody scrapes. */
  gauge(name: string, help: string, read: () => number): void {
    this.#define(name, help, 'gauge', () => [{ labels: {}, value: read() }])
  }

  /** The same for a number that only rises, kept by whoever counts it. */
  total(name: string, help: string, read: () => number): void {
    this.#define(name, help, 'counter', () => [{ labels: {}, value: read() }])
  }

  histogram(name: string, help: string, cell = new HistogramCell()): HistogramCell {
    this.#registerHistogram(name, help, [{ labels: {}, cell }])
    return cell
  }

  histograms<Value extends string>(
    name: string,
    help: string,
    label: string,
    values: readonly Value[],
  ): Readonly<Record<Value, HistogramCell>> {
    const cells = {} as Record<Value, HistogramCell>
    for (const value of values) cells[value] = new HistogramCell()
    const series = values.map((value) => ({ labels: { [label]: value }, cell: cells[value] }))
    this.#registerHistogram(name, help, series)
    return cells
  }

  /** Everything in the Prometheus text format. */
  async text(): Promise<string> {
    return this.#registry.metrics()
  }

  #define(
    name: string,
    help: string,
    type: string,
    collect: () => readonly Sample[] | Promise<readonly Sample[]>,
  ): void {
    this.#register({
      name,
      help,
      type,
      get: async () => ({ name, help, type, aggregator: 'sum', values: await collect() }),
    })
  }

  #registerHistogram(
    name: string,
    help: string,
    series: readonly { labels: Labels; cell: HistogramCell }[],
  ): void {
    const type = 'histogram'
    this.#register({
      name,
      help,
      type,
      get: () =>
        Promise.resolve({
          name,
          help,
          type,
          aggregator: 'sum',
          values: series.flatMap(({ labels, cell }) => histogramSamples(name, labels, cell)),
        }),
    })
  }

  #register(metric: { name: string; help: string; type: string; get(): Promise<unknown> }): void {
    // The library takes any object with these members; its own type names only its classes.
    this.#registry.registerMetric(metric as never)
  }
}

function histogramSamples(name: string, labels: Labels, cell: HistogramCell) {
  let count = 0
  const samples: { metricName: string; labels: Record<string, string>; value: number }[] = []
  for (let bucket = 0; bucket < cell.counts.length; bucket++) {
    count += cell.counts[bucket] as number
    const bound = cell.bounds[bucket]
    const le = bound === undefined ? '+Inf' : String(bound)
    samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })
  }
  samples.push({ metricName: `${name}_sum`, labels: { ...labels }, value: cell.sum })
  samples.push({ metricName: `${name}_count`, labels: { ...labels }, value: count })
  return samples
}
