import type { Clock, Logger } from '#cluster'
import type { MetricsRegistry } from '../metrics/metrics-registry.ts'
import type { NodeSettings } from '../node-settings.ts'
import { FilterChain, type FilterChainParts } from './filter-chain.ts'
import { defineFilterMetrics } from './filter-metrics.ts'
import { Moderation } from './moderation.ts'
import { DEFAULT_RATE_LIMITS, RateLimiter } from './rate-limiter.ts'

/** The filters that an operator asks for; `next` takes what they let through. */
export function newFilters(
  { dev, rates, moderation: asked }: Pick<NodeSettings, 'dev' | 'rates' | 'moderation'>,
  host: { readonly clock: Clock; readonly logger: Logger; readonly metrics: MetricsRegistry },
  next: FilterChainParts['next'],
): FilterChain {
  const { clock, logger, metrics } = host
  const isSlowed = rates !== undefined || !dev
  const rate = isSlowed ? new RateLimiter({ ...DEFAULT_RATE_LIMITS, ...rates }, clock) : null
  const moderation = asked === undefined ? null : new Moderation(asked.hook, asked, clock, logger)
  defineFilterMetrics(metrics, rate, moderation)
  return new FilterChain({ rate, moderation, next })
}
