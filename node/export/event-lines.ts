import { encodeFrame } from '#protocol'
import { wireEvent } from '../gateway/handlers/wire-event.ts'
import type { StateReader } from '../state-machine/types.ts'

const READ_EVENTS = 256

export interface EventLines {
  /** JSON without line ends. */
  readonly lines: readonly string[]
  /** The last seq that they cover. */
  readonly next: number
  readonly hasMore: boolean
}

/**
 * What the conversation keeps after a seq, whoever may see it: each event as a `msg:N` frame with its
 * present content, ascending, and `{gap}` where retention cut something off. Ends before it has more
 * than that many events or bytes of bodies; one event always fits. Without bodies a line tells by
 * `bodyBytes` how large the body is, in msgpack; `null`: there is none. `null`: no such conversation.
 */
export async function eventLines(
  state: Pick<StateReader, 'allEventsAfter'>,
  id: string,
  after: number,
  most: { readonly events: number; readonly bytes: number; readonly withBodies: boolean },
): Promise<EventLines | null> {
  const lines: string[] = []
  let next = after
  let count = 0
  let bytes = 0
  for (;;) {
    const page = await state.allEventsAfter(id, next, Math.min(READ_EVENTS, most.events - count))
    if (page === null) return null
    if (page.gap !== null) {
      lines.push(JSON.stringify({ gap: page.gap }))
      next = page.gap.to
    }
    for (const event of page.events) {
      const bodyBytes = event.body?.length ?? null
      // What is read counts, shown or not.
      bytes += bodyBytes ?? 0
      if (bytes > most.bytes && count > 0) return { lines, next, hasMore: true }
      const fields = wireEvent(event)
      const shown = most.withBodies ? fields : { ...fields, body: undefined }
      const line = encodeFrame({ t: 'msg:N', conv: id, ...shown }, 'parley.v1.json')
      lines.push(most.withBodies ? line : `${line.slice(0, -1)},"bodyBytes":${bodyBytes}}`)
      next = event.seq
      count += 1
    }
    if (!page.hasMore || count >= most.events) return { lines, next, hasMore: page.hasMore }
  }
}
