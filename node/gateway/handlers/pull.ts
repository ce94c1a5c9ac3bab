import { type PullAnswer, type PullRequest, type WireError, wireError } from '#protocol'
import type { ConversationEvent, EventPage } from '../../state-machine/types.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest, Requester } from '../pending-request.ts'
import { notServing, reachMark, reachNewest } from './read-position.ts'
import { wireEvent } from './wire-event.ts'

export function handlePull(
  request: PendingRequest<Requester>,
  frame: PullRequest,
  context: GatewayContext,
): void {
  request.session.read(request, () => pull(request, frame, context))
}

async function pull(
  request: PendingRequest<Requester>,
  frame: PullRequest,
  context: GatewayContext,
): Promise<void> {
  const { session } = request
  const { options } = context
  const behind = notServing(context) ?? (await reachMark(frame.mark, context))
  if (behind !== null) return request.fail(behind)
  const isNewest = frame.read === 'linearizable'
  const late = isNewest ? await reachNewest(context) : null
  if (late !== null) return request.fail(late)
  let page = await readPage(frame, session.user, context)
  if ('code' in page && !isNewest) {
    const unsure = await reachNewest(context)
    page = unsure ?? (await readPage(frame, session.user, context))
  }
  if ('code' in page) return request.fail(page)
  if (frame.ack !== undefined) {
    // The page does not wait for it; a client whose ack was lost says it again with the next one.
    const ack = { conv: frame.conv, kind: 'delivered', upTo: frame.ack } as const
    context.receipts.note(session, [ack])
  }
  const answer = pageAnswer(frame, page, options.maxPageBytes)
  if (frame.after !== undefined) session.pulled(frame.conv, answer.next)
  request.answer(answer)
}

async function readPage(
  frame: PullRequest,
  user: string,
  { backend, options }: GatewayContext,
): Promise<EventPage | WireError> {
  const limit = Math.min(frame.limit, options.maxPageEvents)
  const page =
    frame.before === undefined
      ? await backend.state.eventsAfter(frame.conv, user, frame.after ?? 0, limit)
      : await backend.state.eventsBefore(frame.conv, user, frame.before, limit)
  if (page === null) return wireError('GROUP_NOT_FOUND', 'There is no such conversation.')
  // Where a stranger asks, the page would be all gap and tell how far the conversation has come.
  if (page.events.length === 0 && !(await backend.state.wasMember(frame.conv, user))) {
    return wireError('NOT_MEMBER', 'Only members see a conversation.')
  }
  return page
}

/**
 * The page, cut where its bodies pass `maxBytes`: at the far end from where the client comes, so
 * that `next` goes on without a hole. One event always fits.
 */
function pageAnswer(frame: PullRequest, page: EventPage, maxBytes: number): PullAnswer {
  const forward = frame.before === undefined
  const events = ascending(page.events)
  let bytes = 0
  let kept = 0
  while (kept < events.length) {
    const event = events[forward ? kept : events.length - 1 - kept] as ConversationEvent
    bytes += event.body?.length ?? 0
    if (bytes > maxBytes && kept > 0) break
    kept++
  }
  const shown = forward ? events.slice(0, kept) : events.slice(events.length - kept)
  const answer = { t: 'pull:A', id: frame.id, events: shown.map(wireEvent) } as const
  const { gap } = page
  if (kept === events.length) {
    return { ...answer, next: page.next, upTo: page.upTo, hasMore: page.hasMore, gap }
  }
  const next = (forward ? shown[kept - 1] : shown[0])?.seq as number
  // A gap on the part that was cut off is told by the page that reaches it.
  const reached = gap !== null && (forward ? gap.from <= next : gap.to >= next)
  return {
    ...answer,
    next,
    upTo: forward ? Math.min(page.upTo, next) : page.upTo,
    hasMore: true,
    gap: reached ? gap : null,
  }
}

function ascending(events: readonly ConversationEvent[]): readonly ConversationEvent[] {
  const first = events[0]
  const last = events.at(-1)
  return first !== undefined && last !== undefined && first.seq > last.seq
    ? events.toReversed()
    : events
}
