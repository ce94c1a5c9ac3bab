import { ChatError } from './errors.ts'
import type { PullAnswer } from './protocol/frames.ts'
import type { StoredPlace } from './store/client-store.ts'

/** What is known of places in the history that the cluster was restored to. */
export interface Lookup {
  /** Those where the message is not any more, and that retention did not take. */
  readonly missing: readonly StoredPlace[]
  /** Those of which a node has said what is there; of the others nobody knows yet. */
  readonly looked: readonly StoredPlace[]
}

/** Looks at every place. A refusal is an answer only if it says that there is nothing to look at. */
export async function findMissing(
  places: readonly StoredPlace[],
  pull: (conv: string, after: number) => Promise<PullAnswer>,
): Promise<Lookup> {
  const missing: StoredPlace[] = []
  const looked: StoredPlace[] = []
  for (const [conv, own] of Map.groupBy(places, (place) => place.conv)) {
    const left = own.toSorted((one, other) => one.seq - other.seq)
    while (left.length > 0) {
      const page = await pull(conv, left[0]!.seq - 1).catch((error: unknown) =>
        ChatError.is(error) && NOTHING_THERE.has(error.code) ? null : undefined,
      )
      if (page === undefined) break
      const msgIds = new Map(page?.events.map(({ seq, msgId }) => [seq, msgId]))
      const isRemoved = (seq: number) =>
        page?.gap?.reason === 'retention' && seq >= page.gap.from && seq <= page.gap.to
      // Behind the last event of the history nothing is left.
      const upTo = page?.hasMore === true ? page.next : Infinity
      // A page that leads nowhere would be asked for without an end.
      if (upTo < left[0]!.seq) break
      while (left.length > 0 && left[0]!.seq <= upTo) {
        const place = left.shift()!
        looked.push(place)
        if (msgIds.get(place.seq) !== place.msgId && !isRemoved(place.seq)) missing.push(place)
      }
    }
  }
  return { missing, looked }
}

/** In the history that is there now the conversation is not, or this user never was in it. */
const NOTHING_THERE: ReadonlySet<string> = new Set(['GROUP_NOT_FOUND', 'NOT_MEMBER'])
