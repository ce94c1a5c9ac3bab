import { problem } from '../gateway/problem.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { HttpCall } from './route.ts'

export const KEY_HEADER = 'idempotency-key'

/** Makes a write under its key and tells the key in every answer: what failed is repeated under it. */
export async function underKey(
  call: HttpCall,
  write: (msgId: string) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const msgId = idempotencyKey(call)
  const answer = await write(msgId).catch((error: unknown) => {
    call.context.logger.error('http.failed', { path: call.request.path, error })
    return problem(500, 'INTERNAL', 'The node failed to answer. See its log.')
  })
  return withKey(answer, msgId)
}

/** The call's msgId: as given, with or without quotes, else a new one that nobody else has. */
function idempotencyKey({ request, context }: HttpCall): string {
  const given = request.header(KEY_HEADER)?.trim()
  if (given === undefined) return Buffer.from(context.random.bytes(16)).toString('base64url')
  return /^"(.*)"$/.exec(given)?.[1] ?? given
}

function withKey(response: HttpResponse, msgId: string): HttpResponse {
  // What is no key at all may be no header either.
  if (!/^[\w.:@-]{1,64}$/.test(msgId)) return response
  return { ...response, headers: { ...response.headers, [KEY_HEADER]: msgId } }
}
