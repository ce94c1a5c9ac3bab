import type { Panel, Query, State } from './dashboard.ts'

export const YES_OR_NO: readonly State[] = [
  ['no', 'red'],
  ['yes', 'green'],
]
export const LEADS: readonly State[] = [
  ['follows', 'text'],
  ['leads', 'green'],
]

/** Per second, over the interval that fits the page. */
export const rate = (metric: string, by = 'instance'): string =>
  `sum by (${by}) (rate(${metric}[$__rate_interval]))`

/** Median and 99th percentile of a histogram in the chosen nodes together. */
export const quantiles = (metric: string): Query[] =>
  [0.5, 0.99].map((share) => [
    `histogram_quantile(${share}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`,
    `p${share * 100}`,
  ])

/** The mean of a histogram. */
export const mean = (metric: string): string =>
  `sum by (instance) (rate(${metric}_sum[$__rate_interval])) / sum by (instance) (rate(${metric}_count[$__rate_interval]))`

/** One series a node for each metric. */
export const gauges = (...metrics: readonly string[]): Query[] =>
  metrics.map((metric) => [
    metric,
    metrics.length === 1 ? '{{instance}}' : `{{instance}} ${metric.slice(metric.indexOf('_') + 1)}`,
  ])

export const panel = (
  title: string,
  unit: string,
  description: string,
  queries: readonly Query[],
  more: Partial<Panel> = {},
): Panel => ({ title, unit, description, queries, ...more })
