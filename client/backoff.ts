import { uniform, type Random } from './ports.ts'

/** How often and how long apart a write is sent that gets no answer on a live connection. */
export interface RetryConfig {
  /** @default 500 */
  readonly initialDelayMs: number
  /** @default 2 */
  readonly multiplier: number
  /** No delay is longer, jitter included. @default 60000 */
  readonly maxDelayMs: number
  /** Sends after the first. @default 10 */
  readonly maxRetries: number
  /** Share by which a delay is made shorter or longer at random. @default 0.3 */
  readonly jitter: number
}

/** For writes that have no answer yet. */
export const DEFAULT_RETRY: RetryConfig = {
  initialDelayMs: 500,
  multiplier: 2,
  maxDelayMs: 60_000,
  maxRetries: 10,
  jitter: 0.3,
}

/** For messages that are stored and wait for somebody to have them. */
export const DEFAULT_ACK_RETRY: RetryConfig = {
  initialDelayMs: 30_000,
  multiplier: 2,
  maxDelayMs: 600_000,
  maxRetries: 10,
  jitter: 0.3,
}

/** The delay before retry number `retry`, which counts from 0. */
export function backoffMs(retry: number, config: RetryConfig, random: Random): number {
  const exponential = config.initialDelayMs * config.multiplier ** Math.min(retry, 64)
  const delay = Math.min(exponential, config.maxDelayMs)
  const factor = 1 + config.jitter * (2 * uniform(random) - 1)
  return Math.min(delay * factor, config.maxDelayMs)
}
