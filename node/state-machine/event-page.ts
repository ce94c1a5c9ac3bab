import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import { readColdEvents } from './cold-events.ts'
import type { Conversation } from './conversation-state.ts'
import { presentEvents } from './present-events.ts'
import { OPEN } from './members.ts'
import type { StoredEvent } from './stored-event.ts'
import type { ConversationEvent, EventPage } from './types.ts'

/** Forward from after a seq, or backward from before one. */
export type PageRequest =
  | { readonly after: number; readonly limit: number }
  | { readonly before: number; readonly limit: number }

const EVERYTHING: readonly number[] = [1, OPEN]

/** Seqs that the page covers; `gap` is the part, at its beginning, that the user never gets. */
interface Plan {
  readonly from: number
  readonly to: number
  readonly gap: EventPage['gap']
}

/**
 * One page of what `user` sees of the conversation (`null`: of all that it keeps), in ascending order either way. Forward, `next`
 * and `upTo` are the last seq covered; backward, `upTo` is the highest seq covered and `next` the
 * lowest, to be passed as the next `before`. Seqs outside the user's intervals (rule B7) and those
 * that retention cut off are told as a gap, at most one a page, at the side where the page begins.
 */
export async function readPage(
  state: ApplicationState,
  conversation: Conversation,
  user: string | null,
  request: PageRequest,
): Promise<EventPage> {
  const { limit } = request
  assert(Number.isInteger(limit) && limit > 0, `a page of ${limit} events`)
  const visible = user === null ? EVERYTHING : (conversation.members.find(user)?.visible ?? [])
  const { head, firstSeq } = conversation
  if ('after' in request) {
    const start = Math.max(0, request.after) + 1
    if (start > head) return page([], request.after, head, false, null)
    const { from, to, gap } = planForward(visible, firstSeq, start, head, limit)
    const stored = await readEvents(state, conversation, from, to, false)
    const events = await presentEvents(state, conversation, stored, false)
    const upTo = events.at(-1)?.seq ?? gap?.to ?? request.after
    return page(events, upTo, upTo, upTo < head, gap)
  }
  const end = Math.min(request.before - 1, head)
  if (end < 1) return page([], 1, Math.max(0, end), false, null)
  const { from, to, gap } = planBackward(visible, firstSeq, end, limit)
  const stored = await readEvents(state, conversation, from, to, true)
  const events = await presentEvents(state, conversation, stored, true)
  const next = events[0]?.seq ?? gap?.from ?? request.before
  return page(events, next, end, next > 1, gap)
}

function planForward(
  visible: readonly number[],
  firstSeq: number,
  start: number,
  head: number,
  limit: number,
): Plan {
  for (let i = 0; i < visible.length; i += 2) {
    const last = visible[i + 1]!
    const from = Math.max(start, firstSeq, visible[i]!)
    if (last < from) continue
    if (from > head) break
    const gap = from > start ? gapOf(visible, start, from - 1) : null
    return { from, to: Math.min(last, head, from + limit - 1), gap }
  }
  return { from: 1, to: 0, gap: gapOf(visible, start, head) }
}

function planBackward(
  visible: readonly number[],
  firstSeq: number,
  end: number,
  limit: number,
): Plan {
  for (let i = visible.length - 2; i >= 0; i -= 2) {
    const first = Math.max(visible[i]!, firstSeq)
    const to = Math.min(end, visible[i + 1]!)
    if (first > to) continue
    const gap = to < end ? gapOf(visible, to + 1, end) : null
    return { from: Math.max(first, to - limit + 1), to, gap }
  }
  return { from: 1, to: 0, gap: gapOf(visible, 1, end) }
}

/** What the user could once see of it is gone by retention; else it was never his to see. */
function gapOf(
  visible: readonly number[],
  from: number,
  to: number,
): NonNullable<EventPage['gap']> {
  for (let i = 0; i < visible.length; i += 2) {
    if (visible[i]! <= to && visible[i + 1]! >= from) return { from, to, reason: 'retention' }
  }
  return { from, to, reason: 'membership' }
}

/** Ascending and without a hole; cut short, at the far side, at the bound of bytes. */
export async function readEvents(
  state: ApplicationState,
  conversation: Conversation,
  from: number,
  to: number,
  reverse: boolean,
): Promise<StoredEvent[]> {
  const { pageBytes } = state.limits
  const { coldHead, id, extents } = conversation
  const hot: StoredEvent[] = []
  const firstHot = Math.max(from, coldHead + 1)
  let hotBytes = 0
  for (let i = 0; i <= to - firstHot && hotBytes < pageBytes; i += 1) {
    const event = state.hot.get(conversation.hotNumber(reverse ? to - i : firstHot + i))
    hot.push(event)
    hotBytes += event.bytes
  }
  const cold: StoredEvent[] = []
  let coldBytes = 0
  if (!reverse || hot.length === Math.max(0, to - firstHot + 1)) {
    const room = reverse ? pageBytes - hotBytes : pageBytes
    const range = { from, to: Math.min(to, coldHead), reverse }
    const take = (event: StoredEvent): boolean => {
      cold.push(event)
      coldBytes += event.bytes
      return coldBytes < room
    }
    if (room > 0) await readColdEvents(state.store, { id, extents }, range, take)
  }
  if (reverse) return contiguous([...cold.reverse(), ...hot.reverse()])
  // The cold part was cut short: what follows it is not the next event.
  const isWhole = cold.length === Math.max(0, Math.min(to, coldHead) - from + 1)
  if (!isWhole) return contiguous(cold)
  let bytes = coldBytes
  const kept = cold
  for (const event of hot) {
    if (bytes >= pageBytes && kept.length > 0) break
    kept.push(event)
    bytes += event.bytes
  }
  return contiguous(kept)
}

function contiguous(events: StoredEvent[]): StoredEvent[] {
  for (let i = 1; i < events.length; i += 1) {
    assert(events[i]!.seq === events[i - 1]!.seq + 1, `a hole after event ${events[i - 1]!.seq}`)
  }
  return events
}

function page(
  events: readonly ConversationEvent[],
  next: number,
  upTo: number,
  hasMore: boolean,
  gap: EventPage['gap'],
): EventPage {
  return { events, next, upTo, hasMore, gap }
}
