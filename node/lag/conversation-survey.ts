import type { ConversationProgress, MemberProgress, StateReader } from '../state-machine/types.ts'
import { type ConversationLag, MOST_ROWS, type Survey } from './survey.ts'
import { TopList } from './top-list.ts'

/** Conversations read together, with a page of members of each: about a millisecond. */
const PAGE_CONVERSATIONS = 32

export type ConversationsState = Pick<
  StateReader,
  'conversationCount' | 'progressAfter' | 'progressOf'
>

/** What members lack, added up over the pages of one conversation. */
interface Sum {
  user: string
  behind: number
  waiting: number
  undelivered: number
  oldest: number
}

/**
 * What the present members of all conversations have not acknowledged. Large ones as well: their members
 * come by pages, one a step, between which others have the thread.
 */
export class ConversationSurvey implements Survey {
  readonly conversations = new TopList<ConversationLag>(MOST_ROWS, ({ conv }) => conv)
  readonly #state: ConversationsState
  #looked = 0
  /** Large conversations of the last page, and what was added up of each. */
  readonly #open: { readonly id: string; next: number; readonly sum: Sum }[] = []

  constructor(state: ConversationsState) {
    this.#state = state
  }

  get total(): number {
    return this.#state.conversationCount
  }

  get looked(): number {
    return Math.min(this.#looked, this.total)
  }

  async step(): Promise<boolean> {
    const open = this.#open.at(-1)
    if (open !== undefined) {
      const page = await this.#state.progressOf(open.id, open.next)
      if (page !== null) this.#add(page, open.sum)
      if (page === null || page.next === null) this.#open.pop()
      else open.next = page.next
      return true
    }
    const pages = await this.#state.progressAfter(this.#looked, PAGE_CONVERSATIONS)
    for (const page of pages) {
      const sum = { user: '', behind: 0, waiting: 0, undelivered: 0, oldest: Infinity }
      if (page.next !== null) this.#open.push({ id: page.id, next: page.next, sum })
      this.#add(page, sum)
    }
    this.#looked += pages.length
    return pages.length > 0
  }

  #add(page: ConversationProgress, sum: Sum): void {
    for (const member of page.members) if (member.isPresent) addTo(sum, member)
    if (page.next !== null || sum.waiting === 0) return
    const { id: conv, kind, head, memberCount } = page
    this.conversations.offer({ conv, kind, head, memberCount, ...sum })
  }
}

function addTo(sum: Sum, { user, undelivered, firstUndelivered }: MemberProgress): void {
  if (firstUndelivered === null) return
  sum.waiting += 1
  sum.undelivered += undelivered
  sum.oldest = Math.min(sum.oldest, firstUndelivered)
  if (undelivered < sum.behind) return
  sum.behind = undelivered
  sum.user = user
}
