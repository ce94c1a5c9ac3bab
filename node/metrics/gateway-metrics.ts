import { COUNT_BUCKETS, type CounterCell, HistogramCell } from '#cluster'
import { ERROR_CODES, type ErrorCode } from '#protocol'
import { type Refusal, REFUSALS } from '../gateway/client-limits.ts'
import type { MetricsRegistry } from './metrics-registry.ts'

/** What a request was, for operators: the frame type without its direction. */
const OPERATIONS = [
  'hello',
  'msg',
  'conv',
  'pull',
  'ping',
  'cancel',
  'edit',
  'recall',
  'react',
  'ack',
  'sync',
  'signal',
] as const
export type Operation = (typeof OPERATIONS)[number]

const CLOSE_REASONS = [
  'client',
  'drain',
  'slow_consumer',
  'idle',
  'protocol',
  'replaced',
  'auth',
  'overload',
  'version',
] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

const SLOW_PATH = ['full', 'notify'] as const
const DIRECTIONS = ['received', 'sent'] as const

export interface GatewayMetrics {
  readonly opened: CounterCell
  readonly closed: Readonly<Record<CloseReason, CounterCell>>
  readonly accepted: CounterCell
  readonly duplicates: CounterCell
  readonly rejected: CounterCell
  readonly malformed: CounterCell
  readonly authFailures: CounterCell
  readonly rateLimited: CounterCell
  readonly refused: Readonly<Record<Refusal, CounterCell>>
  /** Events handed to sessions, whole or as a notify. */
  readonly pushed: Readonly<Record<(typeof SLOW_PATH)[number], CounterCell>>
  /** Sessions on this node that one applied event was told to; events nobody here waits for count as none. */
  readonly fanout: HistogramCell
  /** From the leader's stamp of an event to its push here, by the two clocks. */
  readonly deliveryLatency: HistogramCell
  /** Events in one `sync:A`. */
  readonly syncEvents: HistogramCell
  readonly clientBytes: Readonly<Record<(typeof DIRECTIONS)[number], CounterCell>>
  readonly requestDuration: Readonly<Record<Operation, HistogramCell>>
  /** Counts one answered request. */
  requestAnswered(operation: Operation, code: ErrorCode | 'OK'): void
}

export interface GatewayGauges {
  sessions(): number
  connections(): number
  queuedBytes(): number
  queueLimitBytes(): number
  slowSessions(): number
  ready(): boolean
  draining(): boolean
}

/** Defines every metric of the gateway. Once per registry. */
export function defineGatewayMetrics(registry: MetricsRegistry): GatewayMetrics {
  const requests = new RequestTable()
  registry.collected(
    'parley_requests_total',
    'Requests answered, by operation and result code.',
    'counter',
    () => requests.samples(),
  )
  return {
    opened: registry.counter('parley_sessions_opened_total', 'Sessions greeted by hello:A.'),
    closed: registry.counters(
      'parley_sessions_closed_total',
      'Connections ended, by reason.',
      'reason',
      CLOSE_REASONS,
    ),
    accepted: registry.counter(
      'parley_messages_accepted_total',
      'Messages answered as sent for the first time.',
    ),
    duplicates: registry.counter(
      'parley_messages_duplicate_total',
      'Messages answered with the result of an earlier copy.',
    ),
    rejected: registry.counter('parley_messages_rejected_total', 'Messages refused for good.'),
    malformed: registry.counter(
      'parley_malformed_frames_total',
      'Frames that do not keep the protocol.',
    ),
    authFailures: registry.counter(
      'parley_auth_failures_total',
      'hello:R refused for its identity.',
    ),
    rateLimited: registry.counter('parley_rate_limited_total', 'hello:R put off for their rate.'),
    refused: refusals(registry),
    pushed: registry.counters(
      'parley_pushed_events_total',
      'Events handed to sessions, whole or as a notify.',
      'form',
      SLOW_PATH,
    ),
    fanout: registry.histogram(
      'parley_push_fanout_sessions',
      'Sessions of this node that an applied event was told to. Grows with groups and devices online.',
      new HistogramCell(COUNT_BUCKETS),
    ),
    deliveryLatency: registry.histogram(
      'parley_delivery_latency_seconds',
      "Time from an event's stamp by the leader to its push here to sessions that are online, by the clocks of both. Grows with slow disks, slow apply and clocks that differ.",
    ),
    syncEvents: registry.histogram(
      'parley_sync_events',
      'Events in one page of an inbox given to a device that was away. Grows with the time devices stay away.',
      new HistogramCell(COUNT_BUCKETS),
    ),
    clientBytes: registry.counters(
      'parley_client_bytes_total',
      'Bytes of WebSocket messages exchanged with clients, before TLS and headers.',
      'direction',
      DIRECTIONS,
    ),
    requestDuration: registry.histograms(
      'parley_request_duration_seconds',
      'Time from a request frame read to its answer queued.',
      'op',
      OPERATIONS,
    ),
    requestAnswered: (operation, code) => requests.add(operation, code),
  }
}

const refusals = (registry: MetricsRegistry): GatewayMetrics['refused'] =>
  registry.counters(
    'parley_client_refusals_total',
    'Sockets, connections, calls and frames refused by a limit. Many: somebody sends too much, or the limit is too low.',
    'limit',
    REFUSALS,
  )

/** Defines what is read from a running gateway. Once per registry. */
export function defineGatewayGauges(registry: MetricsRegistry, gauges: GatewayGauges): void {
  registry.gauge('parley_sessions', 'Sessions open on this node.', () => gauges.sessions())
  registry.gauge('parley_connections', 'Client connections, greeted or not.', () =>
    gauges.connections(),
  )
  registry.gauge('parley_send_queue_bytes', 'Bytes queued for clients and not yet written.', () =>
    gauges.queuedBytes(),
  )
  registry.gauge(
    'parley_send_queue_limit_bytes',
    'Unsent bytes of one session at which it is closed.',
    () => gauges.queueLimitBytes(),
  )
  registry.gauge('parley_slow_sessions', 'Sessions that get notifies until they catch up.', () =>
    gauges.slowSessions(),
  )
  registry.gauge('parley_ready', 'Whether this node serves clients.', () =>
    gauges.ready() ? 1 : 0,
  )
  registry.gauge('parley_draining', 'Whether this node sends its clients away.', () =>
    gauges.draining() ? 1 : 0,
  )
}

const CODES = ['OK', ...(Object.keys(ERROR_CODES) as ErrorCode[])] as const

/** Every operation × code, so that each series is there from the start. */
class RequestTable {
  readonly #counts = new Float64Array(OPERATIONS.length * CODES.length)
  readonly #operations = new Map(OPERATIONS.map((name, at) => [name, at * CODES.length]))
  readonly #codes = new Map(CODES.map((code, at) => [code, at]))

  add(operation: Operation, code: ErrorCode | 'OK'): void {
    const at = (this.#operations.get(operation) as number) + (this.#codes.get(code) as number)
    this.#counts[at] = (this.#counts[at] as number) + 1
  }

  samples() {
    return OPERATIONS.flatMap((op, row) =>
      CODES.map((code, column) => ({
        labels: { op, code },
        value: this.#counts[row * CODES.length + column] as number,
      })),
    )
  }
}
