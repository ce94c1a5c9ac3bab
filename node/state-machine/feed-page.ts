import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import { eventsOf } from './inbox-page.ts'
import type { FeedPage } from './types.ts'

/**
 * One page of everything that happened, in the order of the log, the same on every node; whoever reads
 * it sees all. Complete or an error: numbers have no holes.
 */
export async function readFeed(
  state: ApplicationState,
  after: number,
  limit: number,
): Promise<FeedPage> {
  assert(Number.isInteger(limit) && limit > 0, `a feed page of ${limit} events`)
  for (;;) {
    const { head, first } = state.feed
    const from = Math.max(0, after, first - 1) + 1
    const gap = after < first - 1 ? { from: Math.max(0, after) + 1, to: first - 1 } : null
    if (from > head) return { entries: [], next: Math.max(after, from - 1), head, gap }
    const to = Math.min(head, from + limit - 1)
    const found = await state.feed.entries(from, to)
    if (found === null) continue
    const events = await eventsOf(state, null, from, found)
    const entries = events.map(({ inbox, conv, seq, event }) => ({
      number: inbox,
      conv,
      seq,
      event,
    }))
    return { entries, next: entries.at(-1)!.number, head, gap }
  }
}
