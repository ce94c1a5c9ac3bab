import { MAX_EXPIRED_SEQS } from '../state-machine/commands.ts'
import type { StateReader } from '../state-machine/types.ts'

const PAGE_EVENTS = 256

/**
 * Seqs of what `user` said in the conversation after `after` and that was not taken away: messages and
 * edits, also those of a message that is gone, at most as many as one `expire` takes. `next` is where to
 * go on, `null` at the end. `pause` is waited for between pages; `false` ends the walk.
 */
export async function ownBodies(
  state: StateReader,
  place: { readonly conv: string; readonly user: string; readonly after: number },
  pause: () => Promise<boolean>,
): Promise<{ seqs: number[]; next: number | null }> {
  const seqs: number[] = []
  for (let after = place.after; ;) {
    const page = await state.bodiesAfter(place.conv, place.user, after, PAGE_EVENTS)
    if (page === null) return { seqs, next: null }
    seqs.push(...page.seqs)
    if (page.next === null) return { seqs, next: null }
    after = page.next
    const isFull = seqs.length + PAGE_EVENTS > MAX_EXPIRED_SEQS
    if (isFull || !(await pause())) return { seqs, next: after }
  }
}
