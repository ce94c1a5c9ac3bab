/** One signal on its way: never in a log, delivered at most once (rule B8). */
export interface Signal {
  /** `null` where `to` names the other user of a pair. */
  readonly conv: string | null
  readonly to: string | null
  readonly from: string
  readonly device: string
  /** Log time, ms, at which the sender's session began: `n` counts within it. */
  readonly session: number
  /** The same by the wall clock of its node, for while nothing is written log time stands still. */
  readonly sessionWall: number
  readonly n: number
  /** At most so long may it be held where there is no route for it yet, in ms. */
  readonly ttlMs: number
  readonly name: string
  /** msgpack bytes, opaque. */
  readonly body: Uint8Array
}

/** What a route gives each signal: the later of two for one key is the greater. */
export interface SignalStamp {
  readonly term: number
  readonly version: number
  readonly n: number
}

export interface StampedSignal {
  readonly stamp: SignalStamp
  readonly signal: Signal
}

/** What has one order: a conversation, or a pair of users in either direction. */
export function signalKey({ conv, to, from }: Signal): string {
  if (conv !== null) return `c:${conv}`
  return from < to! ? `p:${from}:${to}` : `p:${to}:${from}`
}
