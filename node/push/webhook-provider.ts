import { createHmac } from 'node:crypto'
import type { Clock } from '#cluster'
import type { HttpPost, PushCall, PushOutcome, PushProvider } from './push-provider.ts'

export interface WebhookOptions {
  readonly url: string
  readonly secret: Uint8Array
  readonly http: HttpPost
  readonly clock: Clock
}

/** What the receiver says no to for ever; everything else may be its own trouble of the moment. */
const REFUSED = [400, 413, 422]

/**
 * The operator's own server, which calls devices by whatever service it likes. Each call is signed:
 * `Parley-Signature: v1=HEX`, HMAC-SHA256 over `TIMESTAMP.BODY`, with `Parley-Timestamp: TIMESTAMP` in
 * seconds, so that an old call cannot be played again for long.
 */
export class WebhookProvider implements PushProvider {
  readonly kind = 'webhook'
  readonly #options: WebhookOptions

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  async call(call: PushCall, timeoutMs: number): Promise<PushOutcome> {
    const { user, device, target, key, position } = call
    const { url, http, clock } = this.#options
    const body = JSON.stringify({ user, device, token: target.endpoint, key, ...position })
    const timestamp = String(Math.floor(clock.wallMs() / 1_000))
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': key,
      'parley-timestamp': timestamp,
      'parley-signature': `v1=${this.#sign(`${timestamp}.${body}`)}`,
    }
    const answer = await http.post({ url, headers, body, timeoutMs })
    if ('why' in answer) return { is: 'failed', why: answer.why, retryAfterMs: 0 }
    const { status, retryAfterMs } = answer
    if (status >= 200 && status < 300) return { is: 'sent' }
    if (status === 410) return { is: 'gone' }
    const why = `the webhook answers ${status}`
    return REFUSED.includes(status) ? { is: 'refused', why } : { is: 'failed', why, retryAfterMs }
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#options.secret).update(text).digest('hex')
  }
}
