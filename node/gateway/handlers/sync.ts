import { type SyncAnswer, type SyncRequest, type WireError, wireError } from '#protocol'
import type { ConversationEvent, InboxEvent, InboxPage } from '../../state-machine/types.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import { changedConversations } from './changed-conversations.ts'
import { notServing, reachMark, reachNewest } from './read-position.ts'
import { wireEvent } from './wire-event.ts'

/** Bodies above this are left out of a page that asks for small ones. */
const SMALL_BODY_BYTES = 4 * 1024

export function handleSync(
  request: PendingRequest,
  frame: SyncRequest,
  context: GatewayContext,
): void {
  request.session.read(request, () => sync(request, frame, context))
}

/**
 * A page of the user's inbox; the first of a session names the conversations that changed as well
 * (rules B3, B4). Complete as of one applied index, or an error.
 */
async function sync(
  request: PendingRequest,
  frame: SyncRequest,
  context: GatewayContext,
): Promise<void> {
  const { session } = request
  const behind = notServing(context) ?? (await reachMark(frame.mark, context))
  if (behind !== null) return request.fail(behind)
  const read = await readPage(frame, session.user, context)
  if ('code' in read) return request.fail(read)
  const page = cutPage(frame, read, context.options.maxPageBytes)
  const isFirst = !session.synced
  const conversations = isFirst
    ? await changedConversations(session.user, frame, page, context)
    : []
  // Not since `frame.mark`: that the client saw so much says nothing of what came while it was away.
  const since = session.resumedMark
  const statuses = isFirst ? await context.receipts.statuses(session.user, since) : []
  session.synced = true
  for (const { conv, seq } of frame.positions ?? []) session.known.reached(conv, seq)
  // Who asks for what comes after a number has everything up to it.
  session.push.acknowledged(Math.max(frame.after, frame.ack ?? 0))
  if (frame.ack !== undefined) context.receipts.noteInbox(session, frame.ack)
  const { next, upTo, hasMore, gap } = page
  context.metrics.syncEvents.observe(page.entries.length)
  request.answer({
    t: 'sync:A',
    id: frame.id,
    events: page.entries.flatMap((entry) => syncEvent(entry, frame.bodies === 'small')),
    statuses,
    conversations,
    next,
    upTo,
    hasMore,
    gap: gap ?? missingOf(page),
  })
  session.push.synced(next, upTo, hasMore)
}

async function readPage(
  frame: SyncRequest,
  user: string,
  context: GatewayContext,
): Promise<InboxPage | WireError> {
  const { backend, options } = context
  const limit = Math.min(frame.limit, options.maxPageEvents)
  const page = await backend.state.inboxAfter(user, frame.after, limit)
  if (frame.after <= page.upTo) return page
  // With an equal epoch a cursor above the node's own means that the node is behind (rule B2).
  const late = await reachNewest(context)
  if (late !== null) return late
  const newer = await backend.state.inboxAfter(user, frame.after, limit)
  if (frame.after <= newer.upTo) return newer
  const message = `This node has applied your inbox up to ${newer.upTo}, not ${frame.after}.`
  return wireError('BEHIND', message, { leader: backend.leader() })
}

/** The page, cut where its bodies pass `maxBytes`; `next` goes on from there. One event always fits. */
function cutPage(frame: SyncRequest, page: InboxPage, maxBytes: number): InboxPage {
  const small = frame.bodies === 'small'
  let bytes = 0
  let kept = 0
  for (const { event } of page.entries) {
    bytes += small && isLarge(event) ? 0 : (event?.body?.length ?? 0)
    if (bytes > maxBytes && kept > 0) break
    kept++
  }
  const last = page.entries[kept - 1]
  if (kept === page.entries.length || last === undefined) return page
  return { ...page, entries: page.entries.slice(0, kept), next: last.inbox, hasMore: true }
}

/** The first numbers of the page whose events are there no more; they are left out. */
function missingOf({ entries }: InboxPage): InboxPage['gap'] {
  const first = entries.findIndex(({ event }) => event === null)
  if (first === -1) return null
  const end = entries.findIndex(({ event }, at) => at > first && event !== null)
  const last = end === -1 ? entries.length - 1 : end - 1
  return { from: entries[first]!.inbox, to: entries[last]!.inbox, reason: 'retention' }
}

function isLarge(event: ConversationEvent | null): boolean {
  if (event === null || event.body === null) return false
  return event.large || event.body.length > SMALL_BODY_BYTES
}

/** Where bodies are left out, `large` without a body is the placeholder: the client pulls the event. */
function syncEvent({ conv, inbox, event }: InboxEvent, small: boolean): SyncAnswer['events'] {
  if (event === null) return []
  const place = { conv, inbox, ...wireEvent(event) }
  return [small && isLarge(event) ? { ...place, body: undefined, large: true } : place]
}
