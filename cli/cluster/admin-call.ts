import { CliError, ExitCode } from '../exit-codes.ts'
import { tokenHeaders } from '../token-file.ts'

export interface AdminCall {
  readonly urls: readonly string[]
  readonly timeoutMs: number
  readonly tokenFile?: string | undefined
  /** Makes it a POST of JSON. Whatever is sent may be sent twice. */
  readonly body?: object
}

/**
 * Calls one of the nodes, the first that answers.
 *
 * @throws CliError with the exit code that fits what it says
 */
export async function adminCall(path: string, call: AdminCall): Promise<Record<string, unknown>> {
  const headers = tokenHeaders(call.tokenFile)
  let silent = 'no node'
  for (const url of call.urls) {
    let response: Response
    let text: string
    try {
      response = await fetch(new URL(path, url), {
        signal: AbortSignal.timeout(call.timeoutMs),
        headers: { ...headers, 'content-type': 'application/json' },
        ...(call.body === undefined ? {} : { method: 'POST', body: JSON.stringify(call.body) }),
      })
      text = await response.text()
    } catch (error) {
      silent = `${url} does not answer: ${(error as Error).message}`
      continue
    }
    const said = objectOf(text)
    if (response.ok && said !== null) return said
    throw refusalOf(url, response.status, said ?? {})
  }
  throw new CliError(ExitCode.failed, silent)
}

/** A problem as RFC 9457 has it, with the codes of the cluster. */
function refusalOf(url: string, status: number, said: Record<string, unknown>): CliError {
  const { code = status, detail = 'no further word', retryable, outcome } = said
  const exitCode =
    outcome === 'unknown'
      ? ExitCode.outcomeUnknown
      : retryable === false
        ? ExitCode.refused
        : ExitCode.failed
  const advice =
    status === 401 || status === 403 ? ' (an operator’s token: parley token --role admin)' : ''
  return new CliError(exitCode, `${url}: ${String(code)}: ${String(detail)}${advice}`)
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
