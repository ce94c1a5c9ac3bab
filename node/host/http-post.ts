import type { HttpPost } from '../push/push-provider.ts'

/** Longer nobody is asked to wait, in ms. */
const MOST_RETRY_AFTER_MS = 86_400_000

/** Posts over the network. Redirects are not followed: what was checked is where it goes. */
export const HTTP_POST: HttpPost = {
  async post({ url, headers, body, timeoutMs }) {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      // Nobody reads what it says, and a large answer must not be loaded.
      await response.body?.cancel().catch(() => {})
      const retryAfterMs = retryAfter(response.headers.get('retry-after'))
      return { status: response.status, retryAfterMs }
    } catch (error) {
      return { why: sentence(error as Error) }
    }
  },
}

/** Seconds, or a date. */
function retryAfter(header: string | null): number {
  if (header === null) return 0
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1_000
  return Number.isNaN(seconds) ? 0 : Math.min(Math.max(0, seconds * 1_000), MOST_RETRY_AFTER_MS)
}

/** `fetch` says no more than that it failed: why stands behind it. */
function sentence({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
