export interface HttpCall {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly timeoutMs: number
}

/** Rejects where there is no answer. */
export type CallHttp = (
  call: HttpCall,
) => Promise<{ readonly status: number; readonly text: string }>

/** By the global fetch of browsers and of Node 24. */
export const callHttp: CallHttp = async ({ method, url, headers, body, timeoutMs }) => {
  const signal = AbortSignal.timeout(timeoutMs)
  const sent = body === null ? {} : { body }
  const response = await fetch(url, { method, headers, signal, credentials: 'omit', ...sent })
  return { status: response.status, text: await response.text() }
}
