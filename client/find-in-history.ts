import type { MessageAnswer, PullAnswer } from './protocol/frames.ts'

/**
 * What to do with a message whose msgId the cluster no longer remembers (rule A3): if it stands in
 * the history it was stored; if a complete history lacks it, it was not; else nobody can say.
 */
export async function findInHistory(
  conversation: string,
  user: string,
  msgId: string,
  pull: (before: number) => Promise<PullAnswer>,
): Promise<'resend' | 'unknown' | MessageAnswer> {
  let before = Number.MAX_SAFE_INTEGER
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await pull(before)
    const event = answer.events.find((each) => each.msgId === msgId && each.from === user)
    if (event !== undefined) {
      const { seq, at, ord } = event
      return { t: 'msg:A', id: 0, msgId, conv: conversation, seq, at, ord, duplicate: true, now: 0 }
    }
    // What one could not see as no member one did not send either; anything else may have hidden it.
    const reason = answer.gap?.reason ?? 'membership'
    if (reason !== 'membership') return 'unknown'
    if (!answer.hasMore) return 'resend'
    if (answer.next >= before) return 'unknown'
    before = answer.next
  }
  return 'unknown'
}

const MAX_PAGES = 100
