import { ChatError, type ChatErrorCode } from '../errors.ts'
import { callHttp, type CallHttp } from '../host/call-http.ts'
import type { Clock } from '../ports.ts'
import { defaultPorts } from '../host/default-ports.ts'

/** What `new PushDevice` takes: as `ChatClient.connect` does. */
export interface PushOptions {
  /** Nodes, as `http://host:port` or `ws://host:port`; one is enough. */
  readonly urls: readonly string[]
  /** The device that is to be called, as its `ChatClient` names it. */
  readonly device: string
  /** Whose it is; with a token it may be left out, without one only in dev mode over loopback. */
  readonly user?: string | undefined
  readonly token?: string | undefined
  /** Gives a token that is good now. Wins over `token`. */
  readonly getToken?: (() => Promise<string> | string) | undefined
  /** In ms: how long it looks for a node that answers. @default 30000 */
  readonly timeoutMs?: number | undefined
  /** Time and HTTP. @default the platform's */
  readonly ports?: { readonly clock: Clock; readonly callHttp: CallHttp } | undefined
}

/** How the cluster calls devices that are away. */
export interface PushInfo {
  /** Empty: it calls nobody. */
  readonly kinds: readonly ('web' | 'webhook')[]
  /** `applicationServerKey` for `pushManager.subscribe`; `null` where there is no web push. */
  readonly vapidPublicKey: string | null
}

/** A `PushSubscription` of a browser, or what its `toJSON()` gave. */
export type WebPushSubscription =
  | { toJSON(): { readonly endpoint?: string; readonly keys?: Readonly<Record<string, string>> } }
  | { readonly endpoint: string; readonly keys: Readonly<Record<string, string>> }

/**
 * Has one device called when it is away and a message comes for its user: once per absence, without a
 * word of the message. Needs no session, so that a service worker can use it as well. Each call is
 * harmless to repeat, and is repeated at every node until `timeoutMs` have passed.
 */
export class PushDevice {
  readonly #options: PushOptions
  readonly #ports: NonNullable<PushOptions['ports']>

  /** @throws ChatError INVALID_MESSAGE for a URL that is none. */
  constructor(options: PushOptions) {
    if (options.urls.length === 0) throw invalid('urls must name at least one node')
    this.#options = { ...options, urls: options.urls.map(httpUrl) }
    this.#ports = options.ports ?? { clock: defaultPorts().clock, callHttp }
  }

  /** What to subscribe with. @throws ChatError as `subscribe` */
  async info(): Promise<PushInfo> {
    return (await this.#call('GET', '', {})) as unknown as PushInfo
  }

  /**
   * Resolves once a majority keeps the subscription; the device has no other one then. Applications
   * say it at each start: one that is kept already costs nothing.
   *
   * @throws ChatError UNSUPPORTED if the cluster calls nobody by web push, INVALID_MESSAGE for an
   *   endpoint that it does not post to, AUTHENTICATION_FAILED, FORBIDDEN, TIMEOUT (outcome unknown).
   */
  async subscribe(subscription: WebPushSubscription): Promise<void> {
    const { endpoint, keys } = 'toJSON' in subscription ? subscription.toJSON() : subscription
    await this.#subscribe({ kind: 'web', endpoint, keys })
  }

  /**
   * The same by the operator's webhook, which gets `token` with each call: for example that of another
   * push service. @throws ChatError as `subscribe`
   */
  async subscribeWebhook(token: string): Promise<void> {
    await this.#subscribe({ kind: 'webhook', endpoint: token })
  }

  /** Calls the device no more; harmless if nobody did. @throws ChatError as `subscribe` */
  async unsubscribe(): Promise<void> {
    await this.#call('DELETE', '/subscriptions', { device: this.#options.device })
  }

  #subscribe(target: object): Promise<unknown> {
    const body = JSON.stringify({ device: this.#options.device, ...target })
    return this.#call('POST', '/subscriptions', {}, body)
  }

  async #call(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    body: string | null = null,
  ): Promise<Record<string, unknown>> {
    const { urls, user, timeoutMs = 30_000 } = this.#options
    const { clock } = this.#ports
    const until = clock.monotonicMs() + timeoutMs
    const of = new URLSearchParams({ ...query, ...(user === undefined ? {} : { user }) })
    for (let attempt = 0; ; attempt++) {
      const url = `${urls[attempt % urls.length]}/v1/push${path}?${of.toString()}`
      const answer = await this.#attempt(url, method, body)
      if (!(answer instanceof ChatError)) return answer
      const waitMs = Math.max(answer.retryAfterMs ?? 0, AGAIN_MS)
      if (!answer.retryable || clock.monotonicMs() + waitMs > until) throw answer
      // Another node may know more at once.
      if ((attempt + 1) % urls.length !== 0) continue
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
    }
  }

  async #attempt(
    url: string,
    method: string,
    body: string | null,
  ): Promise<Record<string, unknown> | ChatError> {
    const { token, getToken } = this.#options
    let bearer = token
    try {
      if (getToken !== undefined) bearer = await getToken()
    } catch (cause) {
      const why = `no token: ${cause instanceof Error ? cause.message : String(cause)}`
      return new ChatError('AUTHENTICATION_FAILED', why, { retryable: true, cause })
    }
    const headers = {
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === null ? {} : { 'content-type': 'application/json' }),
    }
    try {
      const { status, text } = await this.#ports.callHttp({
        ...{ url, method, headers, body, timeoutMs: ATTEMPT_MS },
      })
      const said = JSON.parse(text) as Record<string, unknown>
      return status < 300 ? said : problem(said)
    } catch (cause) {
      const why = `${url} gave no answer: ${cause instanceof Error ? cause.message : String(cause)}`
      return new ChatError('TIMEOUT', why, { outcome: 'unknown', cause })
    }
  }
}

/** A write is answered within 5 s, if only by its outcome being unknown. */
const ATTEMPT_MS = 8_000
const AGAIN_MS = 500

const invalid = (message: string): ChatError => new ChatError('INVALID_MESSAGE', message)

/** `ws://host:port/v1/ws` → `http://host:port`; what stands before `/v1/ws` stays. @throws ChatError */
function httpUrl(url: string): string {
  const found = /^(?:http|ws)(s?:\/\/[^/?#]+[^?#]*?)(?:\/v1\/ws)?\/?$/i.exec(url)
  if (found === null) throw invalid(`a node's URL is http, https, ws or wss: ${url}`)
  return `http${found[1]}`
}

/** A failure as RFC 9457 has it, with the codes of the wire. */
function problem(said: Record<string, unknown>): ChatError {
  const { code, detail, retryable, outcome, retryAfterMs } = said
  return new ChatError(code as ChatErrorCode, String(detail), {
    retryable: retryable === true,
    outcome: outcome === 'unknown' ? 'unknown' : 'notApplied',
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null,
  })
}
