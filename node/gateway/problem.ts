import { ERROR_CODES, type ErrorCode, type WireError, wireError } from '#protocol'
import type { HttpResponse } from './client-listener.ts'

/** A failure as RFC 9457 has it, `code` of the closed list; `detail` says what to do. */
export function problem(
  status: number,
  code: ErrorCode,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return respond(status, wireError(code, detail), headers)
}

/** The failure of a frame, under the HTTP status of its code. */
export function problemOf(error: WireError): HttpResponse {
  const headers: Record<string, string> = {}
  if (error.retryable)
    headers['retry-after'] = String(Math.ceil((error.retryAfterMs ?? 1000) / 1000))
  if (error.code === 'AUTHENTICATION_FAILED') headers['www-authenticate'] = 'Bearer'
  return respond(ERROR_CODES[error.code].status, error, headers)
}

function respond(
  status: number,
  error: WireError,
  headers: Readonly<Record<string, string>>,
): HttpResponse {
  const { message: detail, code, ...more } = error
  const words = code.toLowerCase().replaceAll('_', ' ')
  return {
    status,
    contentType: 'application/problem+json',
    body: `${JSON.stringify({
      type: `urn:parley:error:${code}`,
      title: words.charAt(0).toUpperCase() + words.slice(1),
      status,
      detail,
      code,
      ...more,
    })}\n`,
    headers,
  }
}
