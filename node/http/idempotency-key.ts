import type { HttpResponse } from '../gateway/client-listener.ts'
import type { HttpCall } from './route.ts'

export const KEY_HEADER = 'idempotency-key'

/** The call's msgId: as given, with or without quotes, else a new one that nobody else has. */
export function idempotencyKey({ request, context }: HttpCall): string {
  const given = request.header(KEY_HEADER)?.trim()
  if (given === undefined) return Buffer.from(context.random.bytes(16)).toString('base64url')
  return /^"(.*)"$/.exec(given)?.[1] ?? given
}

/** Tells the key in every answer: a write of unknown outcome is repeated under it. */
export function withKey(response: HttpResponse, msgId: string): HttpResponse {
  // What is no key at all may be no header either.
  if (!/^[\w.:@-]{1,64}$/.test(msgId)) return response
  return { ...response, headers: { ...response.headers, [KEY_HEADER]: msgId } }
}
