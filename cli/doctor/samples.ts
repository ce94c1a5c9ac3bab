/** The series of one scrape, by name and labels. */
export class Samples {
  readonly #series: readonly { name: string; labels: ReadonlyMap<string, string>; value: number }[]

  /** Reads Prometheus' text format; lines that are none of it are skipped. */
  constructor(text: string) {
    this.#series = text.split('\n').flatMap((line) => {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
      if (match === null) return []
      const [, name = '', labels = '', value = ''] = match
      const number = value === '+Inf' ? Infinity : Number(value)
      return Number.isNaN(number) ? [] : [{ name, labels: labelsIn(labels), value: number }]
    })
  }

  /** The sum of the series of that name with these labels; `null` if there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | null {
    const found = this.#find(name, labels)
    return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0)
  }

  /** By the value of one label. */
  byLabel(name: string, label: string): Map<string, number> {
    return new Map(
      this.#find(name).map(({ labels, value }) => [labels.get(label) ?? '', value] as const),
    )
  }

  /** Cumulative counts of a histogram by upper bound, ascending. */
  buckets(name: string): [upTo: number, count: number][] {
    return this.#find(`${name}_bucket`)
      .map(({ labels, value }): [number, number] => {
        const bound = labels.get('le') ?? ''
        return [bound === '+Inf' ? Infinity : Number(bound), value]
      })
      .toSorted(([a], [b]) => a - b)
  }

  #find(name: string, labels: Readonly<Record<string, string>> = {}) {
    return this.#series.filter(
      (one) =>
        one.name === name &&
        Object.entries(labels).every(([label, value]) => one.labels.get(label) === value),
    )
  }
}

/** Observations of a histogram between two scrapes, or since the start without an earlier one. */
export function observed(name: string, now: Samples, before: Samples | null): [number, number][] {
  const earlier = new Map(before?.buckets(name))
  return now.buckets(name).map(([upTo, count]) => [upTo, count - (earlier.get(upTo) ?? 0)])
}

/** The bound below which that share of the observations lies; `null` without any. */
export function quantile(share: number, buckets: readonly [number, number][]): number | null {
  const total = buckets.at(-1)?.[1] ?? 0
  if (total <= 0) return null
  return buckets.find(([, count]) => count >= share * total)?.[0] ?? null
}

function labelsIn(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, name = '', value = '']) => [name, value] as const,
    ),
  )
}
