import { setTimeout as sleep } from 'node:timers/promises'
import type { Frame, Request, WireClient } from '../workload/wire-client.ts'

/** Helpers for clients that know only `docs/protocol.md`. */

/** The answer, of which a failure is the test's. */
export async function taken(client: WireClient, frame: Request): Promise<Frame> {
  const answer = await client.ask(frame)
  if (answer.error !== undefined) throw new Error(`${frame.t}: ${answer.error.code}`)
  return answer
}

/** The code that a request is refused with, "taken" if it is not. */
export async function codeOf(client: WireClient, frame: Request): Promise<string> {
  return (await client.ask(frame)).error?.code ?? 'taken'
}

/** Waits for what another client's writes bring about. */
export async function eventually<T>(
  read: () => T | Promise<T>,
  holds: (value: T) => boolean,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${JSON.stringify(value)}`)
    }
    await sleep(20)
  }
}

export interface Page {
  readonly events: Frame[]
  readonly gap: { from: number; to: number; reason: string } | null
}

/** Everything that the conversation shows to the client, page by page, with the gaps on the way. */
export async function readAll(client: WireClient, conv: string, limit = 100): Promise<Page[]> {
  const pages: Page[] = []
  for (let after = 0, more = true; more;) {
    const frame = { t: 'pull:R', conv, after, limit, read: 'linearizable' }
    const answer = await taken(client, frame)
    pages.push(answer as unknown as Page)
    after = answer['next'] as number
    more = answer['hasMore'] as boolean
  }
  return pages
}
