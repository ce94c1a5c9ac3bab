import webPush from 'web-push'
import type { HttpPost, PushCall, PushOutcome, PushProvider } from '../push/push-provider.ts'

export interface VapidKeys {
  /** base64url, as browsers take it. */
  readonly publicKey: string
  readonly privateKey: string
}

export interface WebPushOptions {
  readonly keys: VapidKeys
  /** Where the push service reaches the operator: `mailto:` or `https:`. */
  readonly subject: string
  readonly http: HttpPost
}

/** How long a push service keeps a call for a browser that is offline, in s: four weeks. */
const TTL_S = 2_419_200

/**
 * Browsers, through their push services (RFC 8030): signed with VAPID (RFC 8292), encrypted for the
 * device alone (RFC 8291). The key of the call is its topic, so that a repeated one replaces the first
 * wherever that has not been delivered.
 *
 * @throws Error if the keys or the subject are none
 */
export function webPushProvider({ keys, subject, http }: WebPushOptions): PushProvider {
  webPush.setVapidDetails(subject, keys.publicKey, keys.privateKey)
  const vapidDetails = { subject, ...keys }

  const requestOf = ({ target, key, position }: PushCall) => {
    if (target.kind !== 'web') throw new Error('the device has no browser')
    const { endpoint, p256dh, auth } = target
    const subscription = { endpoint, keys: { p256dh, auth } }
    return webPush.generateRequestDetails(subscription, JSON.stringify({ ...position }), {
      vapidDetails,
      TTL: TTL_S,
      topic: key,
      urgency: 'high',
      contentEncoding: 'aes128gcm',
    })
  }

  return {
    kind: 'web',
    async call(call: PushCall, timeoutMs: number): Promise<PushOutcome> {
      let request: ReturnType<typeof requestOf>
      try {
        request = requestOf(call)
      } catch (error) {
        // A key that is no point of the curve: no try will change that.
        return { is: 'refused', why: (error as Error).message }
      }
      const { endpoint: url, headers, body } = request
      const answer = await http.post({
        url,
        headers: headersOf(headers),
        body: new Uint8Array(body ?? []),
        timeoutMs,
      })
      if ('why' in answer) return { is: 'failed', why: answer.why, retryAfterMs: 0 }
      return outcomeOf(answer)
    },
  }
}

function outcomeOf({
  status,
  retryAfterMs,
}: {
  status: number
  retryAfterMs: number
}): PushOutcome {
  if (status >= 200 && status < 300) return { is: 'sent' }
  if (status === 404 || status === 410) return { is: 'gone' }
  const why = `the push service answers ${status}`
  const isWorthATry = status === 408 || status === 429 || status >= 500
  return isWorthATry ? { is: 'failed', why, retryAfterMs } : { is: 'refused', why }
}

/** `fetch` counts the bytes itself. */
function headersOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name !== 'Content-Length')
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))
}
