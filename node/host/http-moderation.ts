import { StartError } from '../data-directory.ts'
import type { ModerationHook } from '../filters/moderation.ts'

const MAX_ANSWER_BYTES = 4 * 1024

/**
 * A hook over HTTP: each write is a POST of JSON; `{"verdict": "accept"}` or `"refuse"` with status
 * 200 is a verdict, everything else is none.
 *
 * @throws StartError if `address` is no HTTP URL
 */
export function httpModeration(address: string): ModerationHook {
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new StartError(`--moderation-url must be http: or https:, not "${address}"`)
  }
  return {
    async judge(write, timeoutMs) {
      const response = await fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: write,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      })
      const verdict = response.status === 200 ? await verdictOf(response) : null
      if (verdict !== null) return verdict
      await response.body?.cancel().catch(() => {})
      throw new Error(`the hook answers ${response.status} without a verdict`)
    },
  }
}

async function verdictOf(response: Response): Promise<'accept' | 'refuse' | null> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_ANSWER_BYTES) return null
  }
  try {
    const { verdict } = JSON.parse(text) as { verdict?: unknown }
    return verdict === 'accept' || verdict === 'refuse' ? verdict : null
  } catch {
    return null
  }
}
