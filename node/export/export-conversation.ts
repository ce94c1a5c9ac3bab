import { encodeFrame } from '#protocol'
import { wireConversation, wireEvent } from '../gateway/handlers/wire-event.ts'
import type { StateReader } from '../state-machine/types.ts'

const PAGE_EVENTS = 256

/**
 * Everything that the conversation keeps, whoever may see it, as lines of JSON without their ends
 * (NDJSON): a `conv:A` frame that describes it, then each event as a `msg:N` frame with its present
 * content, ascending, and a line `{gap}` where retention cut something off. Yields nothing if there is
 * no such conversation. It is read page by page: what is said meanwhile is in it if it comes before
 * the end; each line was true when it was read.
 */
export async function* exportConversation(
  state: StateReader,
  id: string,
): AsyncGenerator<string, void, undefined> {
  const view = await state.conversation(id)
  if (view === null) return
  const conversation = wireConversation(view, '')
  yield encodeFrame({ t: 'conv:A', id: 0, conversation }, 'parley.v1.json') as string
  for (let after = 0, hasMore = true; hasMore;) {
    const page = await state.allEventsAfter(id, after, PAGE_EVENTS)
    if (page === null) return
    if (page.gap !== null) yield JSON.stringify({ gap: page.gap })
    for (const event of page.events) {
      const frame = { t: 'msg:N', conv: id, ...wireEvent(event) } as const
      yield encodeFrame(frame, 'parley.v1.json') as string
    }
    after = page.next
    hasMore = page.hasMore
  }
}
