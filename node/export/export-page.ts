import { encodeFrame } from '#protocol'
import { wireConversation } from '../gateway/handlers/wire-event.ts'
import type { ConversationView, StateReader } from '../state-machine/types.ts'
import { eventLines } from './event-lines.ts'

/** Where a page begins. */
export interface ExportPosition {
  /** The last seq that is there already, 0 at the beginning. */
  readonly after: number
  /** At the beginning of a large conversation: how many of its members are there already. */
  readonly members: number
}

export interface ExportPage {
  /** JSON without line ends. */
  readonly lines: readonly string[]
  readonly next: ExportPosition
  readonly hasMore: boolean
  /** The newest seq as of this page. */
  readonly head: number
}

/**
 * What the conversation keeps from a position on, whoever may see it, as lines of NDJSON: at the
 * beginning a `conv:A` frame that describes it (of a large one several, each with more members), then
 * each event as a `msg:N` frame with its present content, ascending, and a line `{gap}` where retention
 * cut something off. A page ends before it has more than that many events or bytes of bodies; one
 * event always fits. `null`: there is no such conversation.
 */
export async function exportPage(
  state: StateReader,
  id: string,
  position: ExportPosition,
  most: { readonly events: number; readonly bytes: number },
): Promise<ExportPage | null> {
  const { after, members } = position
  const view = await state.conversation(id, members)
  if (view === null) return null
  const { head, nextMembers } = view
  if (after > head) return { lines: [], next: { after, members: 0 }, hasMore: false, head }
  if (after > 0) return events(state, view, after, most)
  const conversation = wireConversation(view, '')
  const described = encodeFrame({ t: 'conv:A', id: 0, conversation }, 'parley.v1.json') as string
  if (nextMembers !== null) {
    return { lines: [described], next: { after: 0, members: nextMembers }, hasMore: true, head }
  }
  const page = await events(state, view, 0, most)
  return page === null ? null : { ...page, lines: [described, ...page.lines] }
}

async function events(
  state: StateReader,
  { id, head }: ConversationView,
  after: number,
  most: { readonly events: number; readonly bytes: number },
): Promise<ExportPage | null> {
  const found = await eventLines(state, id, after, { ...most, withBodies: true })
  if (found === null) return null
  const { lines, next, hasMore } = found
  return { lines, next: { after: next, members: 0 }, hasMore, head: Math.max(head, next) }
}
