import { assert } from '#cluster'
import { isGone } from './amendments.ts'
import type { ApplicationState } from './application-state.ts'
import { readColdEvents } from './cold-events.ts'
import { CommandKind } from './commands.ts'
import { loadForRead } from './conversation-loader.ts'
import type { Conversation } from './conversation-state.ts'
import type { StoredEvent } from './stored-event.ts'
import type { ConversationEvent } from './types.ts'

/**
 * The events with their present content (rule B1): what was edited says what the last edit said; what
 * is gone says nothing, and neither do its edits. It may be newer than the page itself, never older.
 * Cut short at the bound of bytes, at the end where the reader goes on: edits can be longer than what
 * they replace.
 */
export async function presentEvents(
  state: ApplicationState,
  conversation: Conversation,
  events: readonly StoredEvent[],
  reverse: boolean,
): Promise<ConversationEvent[]> {
  if (conversation.amended.length === 0 && conversation.firstSeq === 1) {
    return events.map((event) => event.toEvent())
  }
  const shown: ConversationEvent[] = []
  let bytes = 0
  for (const event of reverse ? events.toReversed() : events) {
    const present = await presentEvent(state, conversation, event)
    bytes += present.body?.length ?? 0
    if (bytes > state.limits.pageBytes && shown.length > 0) break
    shown.push(present)
  }
  return reverse ? shown.reverse() : shown
}

async function presentEvent(
  state: ApplicationState,
  conversation: Conversation,
  stored: StoredEvent,
): Promise<ConversationEvent> {
  const event = stored.toEvent()
  const { kind } = stored.view
  if (kind !== CommandKind.message && kind !== CommandKind.edit) return event
  const own = await state.amendments.read(conversation, event.seq)
  const { target } = event
  const of = target === null ? null : await state.amendments.read(conversation, target)
  const isCutOff = target !== null && target < conversation.firstSeq
  if (isGone(own) || isGone(of) || isCutOff) {
    const recalled = own?.recalled === true || of?.recalled === true
    return { ...event, body: null, recalled, expired: !recalled }
  }
  if (own === null || own.edited === 0) return event
  const body = await bodyOfEdit(state, conversation, own.edited)
  return { ...event, body, edited: own.edited }
}

async function bodyOfEdit(
  state: ApplicationState,
  conversation: Conversation,
  seq: number,
): Promise<Uint8Array> {
  const { id } = conversation
  let place = state.conversations.get(id) ?? conversation
  if (place.head < seq) {
    // The edit is newer than the reader's own copy, and memory let go of the one that had it: then
    // the store has it.
    const [loaded] = await loadForRead(state, [id], null)
    place = loaded!
  }
  const hot = place.hotNumber(seq)
  if (hot >= 0) return state.hot.get(hot).view.body()
  let body: Uint8Array | null = null
  await readColdEvents(state.store, place, { from: seq, to: seq }, ({ view }) => {
    body = view.body()
    return false
  })
  assert(body !== null, `edit ${seq} of ${id} was not read`)
  return body
}
