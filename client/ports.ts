import type { ClientFailpoints } from './failpoints.ts'

/**
 * What the SDK is given instead of reaching for it: time, randomness and sockets. The real ones
 * stand in `host/`; a simulator hands in its own. Nothing else in this folder touches `Date`,
 * `Math.random`, timers or `WebSocket`.
 */

/** Something that will happen unless it is cancelled. */
export interface Timer {
  /** Without effect once it has happened. */
  cancel(): void
}

/** The two clocks of a machine, and what waits for them. */
export interface Clock {
  /** Milliseconds since 1970 by the wall: part of message ids, never compared. */
  wallMs(): number
  /** Milliseconds since an arbitrary start, never falling. */
  monotonicMs(): number
  /** Calls `run` once, not before `delayMs` has passed. */
  after(delayMs: number, run: () => void): Timer
  /** Calls `run` on a later turn of the event loop. */
  defer(run: () => void): void
}

/** Where chance comes from: ids and delays; nothing secret. */
export interface Random {
  /** Uniform over 0 … 2^32-1. */
  uint32(): number
}

/**
 * One WebSocket. It is being opened when it is handed over; its owner sets the three callbacks
 * before the next turn of the event loop.
 */
export interface Socket {
  /** Text goes as a text message, bytes as a binary one. Only after `onOpen`, before `onClose`. */
  send(data: Uint8Array | string): void
  /** `onClose` follows, though perhaps late: the owner may forget the socket at once. */
  close(code?: number, reason?: string): void
  onOpen: () => void
  onMessage: (data: Uint8Array | string) => void
  /** Called once, also when it never opened. */
  onClose: (code: number, reason: string) => void
}

/** All of them: `defaultPorts` are the real ones. */
export interface ClientPorts {
  readonly clock: Clock
  readonly random: Random
  /** Begins to open a WebSocket. Fails through `onClose`, never by throwing. */
  openSocket(url: string, subprotocol: string): Socket
  /** Only in drills. */
  readonly failpoints?: ClientFailpoints | undefined
}

/** Uniform over 0 … 1, 1 excluded. */
export function uniform(random: Random): number {
  return random.uint32() / 0x1_0000_0000
}
