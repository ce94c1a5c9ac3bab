import { assert, type Clock, type CounterCell } from '#cluster'
import { clientKey } from './client-address.ts'
import type { HttpResponse } from './client-listener.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { KeyedBuckets } from './keyed-buckets.ts'
import { problem } from './problem.ts'

export const REFUSALS = [
  'sockets',
  'connections',
  'address_connections',
  'connection_rate',
  'request_rate',
  'frame_rate',
  'byte_rate',
] as const
export type Refusal = (typeof REFUSALS)[number]

/** Sockets beyond those of sessions: calls over HTTP, and room to tell why a session is refused. */
const SPARE_SOCKETS = 1_000
const SPARE_SOCKETS_PER_ADDRESS = 100
/** Addresses whose rates are counted. */
const MAX_ADDRESSES = 10_000

/** What clients may take before anybody knows who they are: by address, and all together. */
export class ClientLimits {
  readonly #clock: Clock
  readonly #options: () => GatewayOptions
  readonly #refused: Readonly<Record<Refusal, CounterCell>>
  readonly #sockets = new Map<string, number>()
  readonly #connections = new Map<string, number>()
  readonly #upgrades = new KeyedBuckets(MAX_ADDRESSES)
  readonly #requests = new KeyedBuckets(MAX_ADDRESSES)
  #openSockets = 0
  #openConnections = 0

  constructor(
    clock: Clock,
    options: () => GatewayOptions,
    refused: Readonly<Record<Refusal, CounterCell>>,
  ) {
    this.#clock = clock
    this.#options = options
    this.#refused = refused
  }

  /**
   * Of a socket before its first byte, by the address of its other end: a proxy's if there is one.
   * `null`: there is no room; else what to call when it is closed. `isOwn`: it counts for nobody else.
   */
  socketOpened(remote: string, isTrusted: boolean): (() => void) | null {
    const key = isTrusted ? null : clientKey(remote)
    const { maxConnections, maxConnectionsPerAddress } = this.#options()
    const most = maxConnectionsPerAddress + SPARE_SOCKETS_PER_ADDRESS
    const isFull = this.#openSockets >= maxConnections + SPARE_SOCKETS
    if (key !== null && (isFull || (this.#sockets.get(key) ?? 0) >= most)) {
      this.#refused.sockets.add()
      return null
    }
    this.#openSockets += 1
    add(this.#sockets, key, 1)
    return () => {
      this.#openSockets -= 1
      assert(this.#openSockets >= 0, 'more sockets closed than opened')
      add(this.#sockets, key, -1)
    }
  }

  /** Before an upgrade. */
  upgradeRefusal(remote: string): HttpResponse | null {
    const options = this.#options()
    if (this.#openConnections >= options.maxConnections) {
      return this.#refuse('connections', 503, 'This node has its fill of clients.', 1_000)
    }
    const key = clientKey(remote)
    if (key === null) return null
    const most = options.maxConnectionsPerAddress
    if ((this.#connections.get(key) ?? 0) >= most) {
      const sentence = `This node takes ${most} connections from one address.`
      return this.#refuse('address_connections', 429, sentence, 1_000)
    }
    const waitMs = this.#waitMs(this.#upgrades, key, options.hellosPerSecondPerAddress)
    if (waitMs === 0) return null
    const sentence = 'Too many connections begin at this address at once.'
    return this.#refuse('connection_rate', 429, sentence, waitMs)
  }

  /** Before a call over HTTP. */
  requestRefusal(remote: string): HttpResponse | null {
    const key = clientKey(remote)
    if (key === null) return null
    const waitMs = this.#waitMs(this.#requests, key, this.#options().requestsPerSecondPerAddress)
    if (waitMs === 0) return null
    return this.#refuse('request_rate', 429, 'Too many calls come from this address.', waitMs)
  }

  connectionOpened(remote: string): void {
    this.#openConnections += 1
    add(this.#connections, clientKey(remote), 1)
  }

  connectionClosed(remote: string): void {
    this.#openConnections -= 1
    assert(this.#openConnections >= 0, 'more connections closed than opened')
    add(this.#connections, clientKey(remote), -1)
  }

  #waitMs(buckets: KeyedBuckets, key: string, perSecond: number | null): number {
    if (perSecond === null) return 0
    const nowMs = this.#clock.monotonicMs()
    const bucket = buckets.of(key, { perSecond, burst: Math.max(1, perSecond) }, nowMs)
    const waitMs = bucket.waitMs(nowMs)
    if (waitMs === 0) bucket.take(nowMs)
    return waitMs
  }

  #refuse(why: Refusal, status: number, sentence: string, waitMs: number): HttpResponse {
    this.#refused[why].add()
    const headers = { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1_000))) }
    return problem(status, status === 503 ? 'OVERLOADED' : 'RATE_LIMITED', sentence, headers)
  }
}

/** A key goes with the last that it counts, so that there are no more keys than sockets. */
function add(counts: Map<string, number>, key: string | null, change: 1 | -1): void {
  if (key === null) return
  const count = (counts.get(key) ?? 0) + change
  assert(count >= 0, 'more closed than opened')
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
