/** Every bound of a gateway, in one place. Times are in ms, sizes in bytes. */
export interface GatewayOptions {
  /** Lets `hello:R` name a `user` without a token, on a loopback connection only. */
  readonly dev: boolean
  /** Open connections; more are refused with 503 before the upgrade. */
  readonly maxConnections: number
  /** Of those, from one address other than the loopback; more are refused with 429. */
  readonly maxConnectionsPerAddress: number
  /** Greeted sessions of one user, at most one a device; one more is answered `RATE_LIMITED`. */
  readonly maxSessionsPerUser: number
  /** A connection that has sent no `hello:R` by then is closed. */
  readonly helloTimeoutMs: number
  /** `hello:R` admitted per second, on average and at once. */
  readonly hellosPerSecond: number
  /** Of those, and of connections that begin, from one address other than the loopback. */
  readonly hellosPerSecondPerAddress: number
  /** Calls over HTTP from such an address; `null`: as many as come. */
  readonly requestsPerSecondPerAddress: number | null
  /** Of one connection, on average; five seconds' worth at once; `null`: as many as come. */
  readonly framesPerSecond: number | null
  readonly bytesPerSecond: number | null
  /** Frames that may arrive behind a `hello:R` that still waits for its mark. */
  readonly maxFramesBeforeHello: number
  /** How often a client pings; two and a half times this without a frame ends the connection. */
  readonly heartbeatMs: number
  /** Requests of one session without an answer; one more is answered `OVERLOADED`. */
  readonly maxInFlight: number
  /** Reads of one session that run at once; the others wait in order. */
  readonly maxConcurrentReads: number
  /** Encoded size of a `body` or `meta`. */
  readonly maxBodyBytes: number
  /** Encoded size of a signal's body. */
  readonly maxSignalBytes: number
  /** Of one session, on average and at once; one more is answered `RATE_LIMITED`. */
  readonly signalsPerSecond: number
  /** However long its `ttlMs`, no signal is held longer. */
  readonly maxSignalTtlMs: number
  /** One WebSocket message from a client, one frame or an array. */
  readonly maxMessageBytes: number
  /** Events and body bytes of one page. */
  readonly maxPageEvents: number
  readonly maxPageBytes: number
  /** Conversations of one `list`. */
  readonly maxListedConversations: number
  /** Conversations that the first page of a catch-up names, the newest change first. */
  readonly maxSyncedConversations: number
  /** Inbox numbers that a greeted session may be behind and is still pushed on to. */
  readonly maxPushAhead: number
  /** Events, and their bytes, pushed whole and not acknowledged; past either come notifies. */
  readonly maxUnackedEvents: number
  readonly maxUnackedBytes: number
  /** Notifies of a session within this time of the last are merged by conversation. */
  readonly notifyMs: number
  /** Unsent bytes of a session above which it gets notifies instead of bodies. */
  readonly slowBytes: number
  /** Unsent bytes above which it is closed with 4003. */
  readonly maxQueuedBytes: number
  /** Conversations with a pending notify above which it is closed with 4003. */
  readonly maxPendingNotifies: number
  /** How long a request waits for this node to reach its mark before `BEHIND`. */
  readonly markTimeoutMs: number
  /** Sessions written per turn of the event loop. */
  readonly flushSlice: number
}

export const DEFAULT_GATEWAY_OPTIONS: GatewayOptions = {
  dev: false,
  maxConnections: 20_000,
  maxConnectionsPerAddress: 5_000,
  maxSessionsPerUser: 100,
  helloTimeoutMs: 5_000,
  hellosPerSecond: 500,
  hellosPerSecondPerAddress: 100,
  requestsPerSecondPerAddress: null,
  framesPerSecond: null,
  bytesPerSecond: null,
  maxFramesBeforeHello: 100,
  heartbeatMs: 15_000,
  maxInFlight: 1_000,
  maxConcurrentReads: 4,
  maxBodyBytes: 64 * 1024,
  maxSignalBytes: 4 * 1024,
  signalsPerSecond: 2_000,
  maxSignalTtlMs: 10_000,
  maxMessageBytes: 1024 * 1024,
  maxPageEvents: 100,
  maxPageBytes: 1024 * 1024,
  maxListedConversations: 1_000,
  maxSyncedConversations: 10_000,
  maxPushAhead: 100,
  maxUnackedEvents: 1_000,
  maxUnackedBytes: 1024 * 1024,
  notifyMs: 50,
  slowBytes: 1024 * 1024,
  maxQueuedBytes: 8 * 1024 * 1024,
  maxPendingNotifies: 10_000,
  markTimeoutMs: 2_000,
  flushSlice: 200,
}
