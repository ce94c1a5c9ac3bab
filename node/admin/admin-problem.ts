import { ERROR_CODES, type ErrorCode, type Outcome } from '#protocol'
import type { HttpResponse } from '../gateway/client-listener.ts'

interface CodeInfo {
  readonly status: number
  readonly retryable: boolean
  readonly outcome: Outcome
}

const final = (status: number): CodeInfo => ({ status, retryable: false, outcome: 'notApplied' })
const passing = (status: number): CodeInfo => ({ status, retryable: true, outcome: 'notApplied' })

/** What operating a cluster can run into beside what clients can: closed as well. */
export const ADMIN_CODES = {
  /** No member, or none any more, has that name. */
  UNKNOWN_MEMBER: final(404),
  /** A safety check refused it; nothing has changed. */
  UNSAFE: final(409),
  /** The name or the address is another member's. */
  NAME_TAKEN: final(409),
  /** Another change of the members is not done: wait for it. */
  CHANGE_PENDING: passing(409),
  /** The members changed since the caller looked (`If-Match`): look again. */
  CONFIGURATION_CHANGED: final(412),
  /** The node that the call is for does not answer. */
  UNREACHABLE: passing(503),
} as const satisfies Record<string, CodeInfo>

export type AdminCode = keyof typeof ADMIN_CODES

/** Why an operator's call failed: what its answer over HTTP says. */
export interface AdminProblem {
  /** Of either closed list, or of a later version's. */
  readonly code: string
  readonly status: number
  /** What was wrong and what to do. */
  readonly message: string
  readonly retryable: boolean
  readonly outcome: Outcome
}

export function adminProblem(code: AdminCode | ErrorCode, message: string): AdminProblem {
  const { status, retryable, outcome } = { ...ERROR_CODES, ...ADMIN_CODES }[code]
  return { code, status, message, retryable, outcome }
}

/** As RFC 9457 has it, like the problems of clients. */
export function adminProblemAnswer(problem: AdminProblem): HttpResponse {
  const { code, status, message: detail, retryable, outcome } = problem
  const words = code.toLowerCase().replaceAll('_', ' ')
  const title = words.charAt(0).toUpperCase() + words.slice(1)
  const type = `urn:parley:error:${code}`
  const known = Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code as ErrorCode] : null
  const category = known?.category ?? (retryable ? 'unavailable' : 'rejected')
  return {
    status,
    contentType: 'application/problem+json',
    body: `${JSON.stringify({ type, title, status, detail, code, category, retryable, outcome })}\n`,
    headers: retryable ? { 'retry-after': '1' } : {},
  }
}
