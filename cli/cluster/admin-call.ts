import { CliError, ExitCode } from '../exit-codes.ts'
import { tokenHeaders } from '../token-file.ts'

export interface AdminCall {
  readonly urls: readonly string[]
  readonly timeoutMs: number
  readonly tokenFile?: string | undefined
  /** Makes it a POST of JSON, which may be sent twice. */
  readonly body?: object
  /** Beside that. @default GET */
  readonly method?: 'DELETE'
  /** Sent as `If-Match`: only of what the caller saw. */
  readonly ifMatch?: string | undefined
  /** Said once at most: silence after a node may have heard it is an unknown outcome. */
  readonly isOnce?: boolean
  /** The newest mark that an answer carried: nothing older than it is shown. */
  readonly mark?: string | null
}

export interface AdminAnswer {
  readonly text: string
  /** Of the state that it shows, if it does. */
  readonly mark: string | null
}

/**
 * Calls one of the nodes: the first that answers, or the next where one cannot at present, or the
 * leader where only he knows.
 *
 * @throws CliError with the exit code that fits what the last one says
 */
export async function adminText(path: string, call: AdminCall): Promise<AdminAnswer> {
  const headers = {
    ...tokenHeaders(call.tokenFile),
    ...(typeof call.mark === 'string' ? { 'parley-mark': call.mark } : {}),
    'content-type': 'application/json',
    ...(call.ifMatch === undefined ? {} : { 'if-match': `"${call.ifMatch}"` }),
  }
  const waiting = [...call.urls]
  const asked = new Set<string>()
  let failure: CliError | null = null
  for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
    if (asked.has(url)) continue
    asked.add(url)
    let response: Response
    let text: string
    try {
      response = await fetch(new URL(path, url), {
        signal: AbortSignal.timeout(call.timeoutMs),
        headers,
        ...(call.method === undefined ? {} : { method: call.method }),
        ...(call.body === undefined ? {} : { method: 'POST', body: JSON.stringify(call.body) }),
      })
      text = await response.text()
    } catch (error) {
      const why = `${url} does not answer: ${(error as Error).message}`
      // What another node said is nearer to the matter.
      if (call.isOnce === true && !isRefusedConnection(error)) {
        const advice =
          'it may have been done all the same: look with parley members and parley status'
        throw new CliError(ExitCode.outcomeUnknown, `${why}; ${advice}`)
      }
      failure ??= new CliError(ExitCode.failed, why)
      continue
    }
    if (response.ok) return { text, mark: response.headers.get('parley-mark') }
    const said = objectOf(text) ?? {}
    failure = refusalOf(url, response.status, said)
    if (failure.exitCode !== ExitCode.failed) throw failure
    const leader = said['code'] === 'NOT_LEADER' ? leaderOf(said['leader']) : null
    if (leader !== null) waiting.unshift(leader)
  }
  throw failure ?? new CliError(ExitCode.failed, 'no node')
}

/** As `adminText`, of what answers with a JSON object. */
export async function adminCall(path: string, call: AdminCall): Promise<Record<string, unknown>> {
  return (await adminPage(path, call)).said
}

/** As `adminCall`, with the mark of what it shows. */
export async function adminPage(
  path: string,
  call: AdminCall,
): Promise<{ readonly said: Record<string, unknown>; readonly mark: string | null }> {
  const { text, mark } = await adminText(path, call)
  const said = objectOf(text)
  if (said !== null) return { said, mark: mark ?? call.mark ?? null }
  throw new CliError(ExitCode.failed, `${call.urls.join(', ')}: the answer is no JSON object`)
}

/** Nobody can have heard what was to be said. */
function isRefusedConnection(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EHOSTUNREACH'
}

function leaderOf(value: unknown): string | null {
  const url = (value as { url?: unknown } | null)?.url
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).origin : null
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
