import type { Clock, Failpoints, Logger, Random } from '#cluster'
import { type WireError, wireError } from '#protocol'
import type { GatewayMetrics } from '../metrics/gateway-metrics.ts'
import type { GatewayReceipts } from '../receipts/gateway-receipts.ts'
import type { Authenticator } from './auth.ts'
import type { Backend } from './backend.ts'
import type { EncodedMark } from './frame-joiner.ts'
import type { GatewayOptions } from './gateway-options.ts'
import type { KeyedBuckets } from './keyed-buckets.ts'
import type { SessionExpiries } from './session-expiries.ts'
import type { SessionRegistry } from './session-registry.ts'
import type { Session } from './session.ts'
import type { TokenBucket } from './token-bucket.ts'

/** What every session and handler of one gateway shares. */
export interface GatewayContext {
  readonly backend: Backend
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly failpoints: Failpoints
  readonly metrics: GatewayMetrics
  readonly options: GatewayOptions
  readonly authenticator: Authenticator
  readonly registry: SessionRegistry
  readonly receipts: GatewayReceipts
  readonly hellos: TokenBucket
  readonly hellosByAddress: KeyedBuckets
  readonly expiries: SessionExpiries
  /** Counts revocations and changes of keys: who was let in by what was known before one is looked at again. */
  revocations(): number
  draining(): boolean
  /** Of the state as applied now. */
  currentMark(): EncodedMark
  /** Has the session's queue written on a later turn. */
  scheduleFlush(session: Session): void
  /** Looks every few ms whether a slow session's client has caught up. */
  watchSlow(session: Session): void
  /** Merges the session's notifies for a while, then has the rest sent. */
  mergeNotifies(session: Session): void
  /** The session is over; called once. */
  ended(session: Session): void
}

/** What every client of a node that drains is told. */
export function drainingError(backend: Backend): WireError {
  const leader = backend.leader()
  return wireError('DRAINING', 'This node is going away; use another one.', { leader })
}

/** Uniform over [0, `below`). */
export function uniform(random: Random, below: number): number {
  return (random.uint32() / 2 ** 32) * below
}

/** Time over which `clients` reconnect, at 150 per second and at most 15 s. */
export function spreadMs(clients: number): number {
  return Math.min(15_000, Math.ceil((clients / 150) * 1000))
}
