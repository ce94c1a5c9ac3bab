import { wireError } from '#protocol'
import { problem, problemOf } from '../gateway/problem.ts'
import type { HttpResponse } from '../gateway/client-listener.ts'
import type { HttpCall } from './route.ts'

const MAX_BYTES = 16 * 1024
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The object in a call's body, or why there is none. */
export async function jsonOf({
  request,
}: HttpCall): Promise<
  { readonly json: Readonly<Record<string, unknown>> } | { readonly refusal: HttpResponse }
> {
  const contentType = (request.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  if (contentType !== 'application/json') {
    return { refusal: problem(415, 'UNSUPPORTED', 'Content-Type must be application/json.') }
  }
  const bytes = await request.body(MAX_BYTES)
  if (bytes === null) {
    const detail = `This call carries at most ${MAX_BYTES} bytes.`
    return { refusal: problemOf(wireError('PAYLOAD_TOO_LARGE', detail)) }
  }
  try {
    const json: unknown = JSON.parse(utf8.decode(bytes))
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
      return { json: json as Record<string, unknown> }
    }
  } catch {
    // Told below, as whatever else is no object.
  }
  return { refusal: problemOf(wireError('INVALID_MESSAGE', 'The body is not a JSON object.')) }
}
