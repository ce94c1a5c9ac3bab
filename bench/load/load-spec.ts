/** One measurement, as a client process is told it (JSON on its command line). */
export interface LoadSpec {
  readonly target: 'parley' | 'bare' | 'etcd' | 'nats' | 'rabbitmq'
  readonly url: string
  readonly connections: number
  /** Unanswered messages per connection. */
  readonly inFlight: number
  readonly conversations: number
  readonly bodyBytes: number
  readonly warmupMs: number
  readonly durationMs: number
  /** Ends earlier, once so many are acknowledged, the warm-up's included. @default no limit */
  readonly messages?: number
  /**
   * A file for every measured acknowledgement, as two little-endian f64: when it came, in ms since the
   * epoch, and how long it took, in ms. @default none
   */
  readonly trace?: string
}

export interface LoadResult {
  readonly acknowledged: number
  readonly seconds: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  /** What the client process spent, per acknowledged message. */
  readonly clientCpuUs: number
  readonly errors: Readonly<Record<string, number>>
  /** Every message that was acknowledged, warm-up included: what the store must hold. */
  readonly stored: number
}
