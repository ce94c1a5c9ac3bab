import type { PullAnswer } from './protocol/frames.ts'
import type { StoredPlace } from './store/client-store.ts'

/** Which of these messages are not where they were, nor removed by retention since. */
export async function findMissing(
  places: readonly StoredPlace[],
  pull: (conv: string, after: number) => Promise<PullAnswer>,
): Promise<readonly StoredPlace[]> {
  const missing: StoredPlace[] = []
  const byConversation = Map.groupBy(places, ({ conv }) => conv)
  for (const [conv, own] of byConversation) {
    const left = own.toSorted((one, other) => one.seq - other.seq)
    while (left.length > 0) {
      const page = await pull(conv, left[0]!.seq - 1).catch(() => null)
      const msgIds = new Map(page?.events.map(({ seq, msgId }) => [seq, msgId]))
      // Behind the last event of the history nothing is left.
      const upTo = page === null || !page.hasMore ? Infinity : page.next
      const isGone = (seq: number) =>
        page?.gap?.reason === 'retention' && seq >= page.gap.from && seq <= page.gap.to
      while (left.length > 0 && left[0]!.seq <= upTo) {
        const place = left.shift()!
        if (msgIds.get(place.seq) !== place.msgId && !isGone(place.seq)) missing.push(place)
      }
    }
  }
  return missing
}
