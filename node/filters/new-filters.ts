import type { Clock, Logger } from '#cluster'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { NodeSettings } from '../node-settings.ts'
import { FilterChain, type FilterChainParts, type Filters } from './filter-chain.ts'
import { defineFilterMetrics } from './filter-metrics.ts'
import { Moderation } from './moderation.ts'
import { DEFAULT_RATE_LIMITS, RateLimiter } from './rate-limiter.ts'

interface FilterHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricsRegistry
}

/** The filters that an operator asks for; `next` takes what they let through. */
export function newFilters(
  settings: FilterSettings,
  host: FilterHost,
  next: FilterChainParts['next'],
): FilterChain {
  const chain = new FilterChain({ ...filtersOf(settings, host), next })
  defineFilterMetrics(host.metrics, chain)
  return chain
}

type FilterSettings = Pick<NodeSettings, 'dev' | 'rates' | 'moderation'>

/** Those alone, for a chain that there is. */
export function filtersOf(
  { dev, rates, moderation: asked }: FilterSettings,
  { clock, logger }: Pick<FilterHost, 'clock' | 'logger'>,
): Filters {
  const isSlowed = rates !== undefined || !dev
  const rate = isSlowed ? new RateLimiter({ ...DEFAULT_RATE_LIMITS, ...rates }, clock) : null
  const moderation = asked === undefined ? null : new Moderation(asked.hook, asked, clock, logger)
  return { rate, moderation }
}
