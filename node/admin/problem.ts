import type { HttpResponse } from '../gateway/client-listener.ts'

/** A failure as RFC 9457 has it; `title` is a sentence for people. */
export function problem(
  status: number,
  title: string,
  more: { detail?: string; headers?: Readonly<Record<string, string>> } = {},
): HttpResponse {
  const { detail, headers } = more
  return {
    status,
    contentType: 'application/problem+json',
    body: `${JSON.stringify({ type: 'about:blank', title, status, detail })}\n`,
    ...(headers === undefined ? {} : { headers }),
  }
}
