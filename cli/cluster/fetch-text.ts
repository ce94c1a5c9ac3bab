export interface FetchOptions {
  /** For the whole answer, its body included. */
  readonly timeoutMs: number
  readonly headers?: Readonly<Record<string, string>>
  /** @default 4 MiB */
  readonly maxBytes?: number
}

const MAX_BYTES = 4 << 20

/**
 * An answer of bounded size within a bounded time, whoever answers. Follows nobody elsewhere: a
 * token goes where the operator sent it.
 *
 * @throws Error that says in words why there is none
 */
export async function fetchText(
  url: URL,
  { timeoutMs, headers = {}, maxBytes = MAX_BYTES }: FetchOptions,
): Promise<{ readonly status: number; readonly text: string }> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(url, { signal, headers, redirect: 'error' })
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length
      if (bytes > maxBytes) throw new Error(`its answer is longer than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    return { status: response.status, text: Buffer.concat(chunks).toString('utf8') }
  } catch (error) {
    if (signal.aborted) throw new Error(`no answer within ${timeoutMs} ms`, { cause: error })
    const { cause, message } = error as Error & { cause?: { code?: string } }
    throw new Error(cause?.code ?? message, { cause: error })
  }
}
