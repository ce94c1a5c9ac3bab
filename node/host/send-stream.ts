import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { ResponseStream } from '../gateway/client-listener.ts'

/** A client that takes nothing for so long has gone, whatever its connection says. */
const STALL_MS = 60_000

/**
 * Sends a body as it comes, no faster than the client takes it. Whatever goes wrong cuts the
 * connection: an end in order would say that all of it was there. Never rejects.
 */
export async function sendStream(
  response: ServerResponse,
  stream: ResponseStream,
  headOnly: boolean,
): Promise<void> {
  const onError = (): void => void response.destroy()
  response.on('error', onError)
  try {
    if (headOnly) {
      response.end()
      return
    }
    for await (const chunk of stream.chunks) {
      if (response.destroyed) return
      if (!response.write(chunk)) await drained(response)
    }
    response.end()
  } catch {
    response.destroy()
  } finally {
    await stream.close().catch(onError)
  }
}

async function drained(response: ServerResponse): Promise<void> {
  const ending = new AbortController()
  const { signal } = ending
  const timer = setTimeout(() => response.destroy(), STALL_MS)
  try {
    await Promise.race([
      once(response, 'drain', { signal }),
      once(response, 'close', { signal }),
    ]).catch(() => undefined)
  } finally {
    clearTimeout(timer)
    ending.abort()
  }
}
