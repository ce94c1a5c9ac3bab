import {
  type ConversationEvent,
  type ConversationHead,
  EventKind,
} from '../../state-machine/types.ts'
import type { GatewayContext } from '../gateway-context.ts'

/** Newest events of one conversation among which the user's own are counted. */
const MAX_EVENTS = 1_000
/** Events read for all conversations of one answer. */
const MAX_EVENTS_IN_ALL = 20_000
const PAGE = 100

/**
 * Unread messages of a user's conversations: ord(head) − ord(read) − own (rule B1). Own messages are
 * counted among the newest 1,000 events after the read position; where that position is further
 * back, or the answer has read its fill, what is told may be too high by the user's own, never too
 * low.
 */
export class UnreadCounter {
  readonly #user: string
  readonly #context: GatewayContext
  #eventsLeft = MAX_EVENTS_IN_ALL

  constructor(user: string, context: GatewayContext) {
    this.#user = user
    this.#context = context
  }

  async unread(view: ConversationHead): Promise<number> {
    const { state } = this.#context.backend
    const { read } = await state.cursorsOf(view.id, this.#user)
    if (read >= view.head) return 0
    const oldest = (await state.eventsAfter(view.id, this.#user, read, 1))?.events[0]
    if (oldest === undefined) return 0
    // The visible range may begin later than the read position, at the user's joining.
    const before = oldest.ord - (oldest.kind === EventKind.message ? 1 : 0)
    return Math.max(0, view.ord - before - (await this.#own(view, read)))
  }

  async #own(view: ConversationHead, read: number): Promise<number> {
    const { state } = this.#context.backend
    let own = 0
    let after = Math.max(read, view.head - Math.min(MAX_EVENTS, this.#eventsLeft))
    while (after < view.head) {
      const page = await state.eventsAfter(view.id, this.#user, after, PAGE)
      if (page === null || page.next <= after) break
      for (const event of page.events) if (event.seq <= view.head && this.#isOwn(event)) own++
      this.#eventsLeft -= page.events.length
      after = page.next
    }
    return own
  }

  #isOwn(event: ConversationEvent): boolean {
    return event.kind === EventKind.message && event.from === this.#user
  }
}
