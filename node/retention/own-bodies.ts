import { MAX_EXPIRED_SEQS } from '../state-machine/commands.ts'
import { EventKind, type StateReader } from '../state-machine/types.ts'

const PAGE_EVENTS = 256

/**
 * Seqs of what `user` said in the conversation after `after` and that still has a body: messages and
 * edits, at most as many as one `expire` takes. `next` is where to go on, `null` at the end. `pause`
 * is waited for between pages; `false` ends the walk.
 */
export async function ownBodies(
  state: StateReader,
  place: { readonly conv: string; readonly user: string; readonly after: number },
  pause: () => Promise<boolean>,
): Promise<{ seqs: number[]; next: number | null }> {
  const seqs: number[] = []
  for (let after = place.after; ;) {
    const page = await state.allEventsAfter(place.conv, after, PAGE_EVENTS)
    if (page === null) return { seqs, next: null }
    for (const { seq, kind, from, body } of page.events) {
      const says = kind === EventKind.message || kind === EventKind.edit
      if (says && from === place.user && body !== null) seqs.push(seq)
    }
    if (!page.hasMore) return { seqs, next: null }
    after = page.next
    const isFull = seqs.length + PAGE_EVENTS > MAX_EXPIRED_SEQS
    if (isFull || !(await pause())) return { seqs, next: after }
  }
}
