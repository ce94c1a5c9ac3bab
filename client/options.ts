import { DEFAULT_ACK_RETRY, DEFAULT_RETRY, type RetryConfig } from './backoff.ts'
import { ChatError } from './errors.ts'
import { defaultPorts } from './host/default-ports.ts'
import type { ClientStore } from './store/client-store.ts'
import type { IdStrategy } from './message-id.ts'
import { MemoryStore } from './store/memory-store.ts'
import type { ClientPorts } from './ports.ts'
import { LIMITS } from './protocol/limits.ts'

/** What `ChatClient.connect` takes. */
export interface ChatOptions {
  /** Nodes to start from, as `http://host:port` or `ws://host:port`; one is enough. */
  readonly urls: readonly string[]
  /** 1 to 40 characters of [A-Za-z0-9._:@-], the same for this device every time. */
  readonly device: string
  /**
   * Who this is. With a token it may be left out, and is the token's `sub`; with one of role `service`
   * it says whom to speak for. Without a token: only for a cluster in dev mode, over loopback.
   */
  readonly user?: string | undefined
  /**
   * A JWT that the cluster trusts. One that is refused, or runs out, ends the client with
   * `AUTHENTICATION_FAILED`: nothing is tried again with it.
   */
  readonly token?: string | undefined
  /**
   * Gives a token that is good now. Called before every attempt to connect, also after the last one
   * ran out or was revoked during a session; the client goes on where it was. If the new one is
   * refused too, the client ends with `AUTHENTICATION_FAILED`. Wins over `token`.
   */
  readonly getToken?: (() => Promise<string> | string) | undefined
  /**
   * Keeps unsettled messages and cursors over the life of one client; a `LevelStore` of
   * `@parley/client/store` also over that of the process. The default forgets them with it.
   * @default a new MemoryStore
   */
  readonly store?: ClientStore | undefined
  /** How message ids are made. @default 'composite' */
  readonly idStrategy?: IdStrategy | undefined
  /** For writes without an answer. @default DEFAULT_RETRY */
  readonly retry?: Partial<RetryConfig> | undefined
  /**
   * For messages that are stored, and that nobody has acknowledged: 30 s × 2ⁿ, at most 10 min, ten
   * times. @default DEFAULT_ACK_RETRY
   */
  readonly ackRetry?: Partial<RetryConfig> | undefined
  /**
   * Wait in `connect` for the first session, at most this long; 0 returns at once, and messages
   * wait in the outbox.
   * @default 10000
   */
  readonly connectTimeoutMs?: number | undefined
  /** Limit of one attempt: socket, hello and its answer. @default 4000 */
  readonly attemptTimeoutMs?: number | undefined
  /**
   * Silence, while something waits for an answer, after which the node is taken for dead and
   * another is tried. @default 2000
   */
  readonly silenceMs?: number | undefined
  /** Limit of a read such as `history`. @default 30000 */
  readonly readTimeoutMs?: number | undefined
  /** Writes in the outbox; one more makes `send` throw `OUTBOX_FULL`. @default 1000 */
  readonly maxPending?: number | undefined
  /** Bytes of bodies in the outbox. @default 16777216 */
  readonly maxPendingBytes?: number | undefined
  /** Writes to one conversation on the wire at once. @default 64 */
  readonly window?: number | undefined
  /** Receipts wait this long for others, so that one frame carries many. @default 500 */
  readonly ackDelayMs?: number | undefined
  /** This many receipts go out at once, and one frame carries no more. @default 50 */
  readonly ackBatch?: number | undefined
  /** Events kept for a slow reader of `messages()`; more are pulled when it is ready. @default 500 */
  readonly bufferedEvents?: number | undefined
  /**
   * Events kept in `store` until the application has acknowledged them (`after: 'cursor'`); beyond it
   * the oldest leave and are fetched again when they are asked for. @default 10000
   */
  readonly maxReceived?: number | undefined
  /** Their bytes. @default 16777216 */
  readonly maxReceivedBytes?: number | undefined
  /** Events of one page when it catches up. @default 100 */
  readonly syncPageEvents?: number | undefined
  /** Time, randomness and sockets. @default the platform's */
  readonly ports?: ClientPorts | undefined
}

/** The options with every default in place. */
export interface ResolvedOptions {
  readonly urls: readonly string[]
  readonly device: string
  readonly user: string | null
  readonly token: (() => Promise<string> | string) | null
  readonly refreshesToken: boolean
  readonly store: ClientStore
  readonly idStrategy: IdStrategy
  readonly retry: RetryConfig
  readonly ackRetry: RetryConfig
  readonly connectTimeoutMs: number
  readonly attemptTimeoutMs: number
  readonly silenceMs: number
  readonly readTimeoutMs: number
  readonly maxPending: number
  readonly maxPendingBytes: number
  readonly window: number
  readonly ackDelayMs: number
  readonly ackBatch: number
  readonly bufferedEvents: number
  readonly maxReceived: number
  readonly maxReceivedBytes: number
  readonly syncPageEvents: number
  readonly ports: ClientPorts
}

/** @throws ChatError INVALID_MESSAGE naming the option that is wrong. */
export function resolveOptions(options: ChatOptions): ResolvedOptions {
  const { device, token } = options
  if (!/^[A-Za-z0-9._:@-]{1,40}$/.test(device)) {
    throw invalid('device must be 1 to 40 characters of [A-Za-z0-9._:@-]')
  }
  return {
    urls: options.urls,
    device,
    user: options.user ?? null,
    token: options.getToken ?? (token === undefined ? null : () => token),
    refreshesToken: options.getToken !== undefined,
    store: options.store ?? new MemoryStore(),
    idStrategy: resolveIdStrategy(options.idStrategy ?? 'composite'),
    retry: resolveRetry('retry', DEFAULT_RETRY, options.retry),
    ackRetry: resolveRetry('ackRetry', DEFAULT_ACK_RETRY, options.ackRetry),
    connectTimeoutMs: atLeast(0, options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    attemptTimeoutMs: atLeast(1, options.attemptTimeoutMs ?? 4000, 'attemptTimeoutMs'),
    silenceMs: atLeast(1, options.silenceMs ?? 2000, 'silenceMs'),
    readTimeoutMs: atLeast(1, options.readTimeoutMs ?? 30_000, 'readTimeoutMs'),
    maxPending: atLeast(1, options.maxPending ?? 1000, 'maxPending'),
    maxPendingBytes: atLeast(1, options.maxPendingBytes ?? 16 * 1024 * 1024, 'maxPendingBytes'),
    window: atLeast(1, options.window ?? 64, 'window'),
    ackDelayMs: atLeast(0, options.ackDelayMs ?? 500, 'ackDelayMs'),
    ackBatch: Math.min(atLeast(1, options.ackBatch ?? 50, 'ackBatch'), LIMITS.acks),
    bufferedEvents: atLeast(1, options.bufferedEvents ?? 500, 'bufferedEvents'),
    maxReceived: atLeast(1, options.maxReceived ?? 10_000, 'maxReceived'),
    maxReceivedBytes: atLeast(1, options.maxReceivedBytes ?? 16 * 1024 * 1024, 'maxReceivedBytes'),
    syncPageEvents: Math.min(
      atLeast(1, options.syncPageEvents ?? 100, 'syncPageEvents'),
      LIMITS.pageEvents,
    ),
    ports: options.ports ?? defaultPorts(),
  }
}

function resolveIdStrategy(strategy: IdStrategy): IdStrategy {
  const known = ['composite', 'uuidv4', 'snowflake', 'ulid']
  if (typeof strategy === 'function' || known.includes(strategy)) return strategy
  throw invalid(`idStrategy must be a function or one of ${known.join(', ')}`)
}

function resolveRetry(
  name: string,
  defaults: RetryConfig,
  given: Partial<RetryConfig> | undefined,
): RetryConfig {
  const retry = { ...defaults, ...given }
  atLeast(1, retry.initialDelayMs, `${name}.initialDelayMs`)
  atLeast(1, retry.multiplier, `${name}.multiplier`)
  atLeast(retry.initialDelayMs, retry.maxDelayMs, `${name}.maxDelayMs`)
  atLeast(0, retry.maxRetries, `${name}.maxRetries`)
  if (!(retry.jitter >= 0 && retry.jitter <= 1)) throw invalid(`${name}.jitter must be 0 to 1`)
  return retry
}

function atLeast(least: number, value: number, name: string): number {
  if (!(value >= least) || !Number.isFinite(value))
    throw invalid(`${name} must be ${least} or more`)
  return value
}

const invalid = (message: string): ChatError => new ChatError('INVALID_MESSAGE', message)
