import type { StateReader } from '../state-machine/types.ts'

/** How much of what a user said is kept in one conversation. */
export interface LeftBodies {
  readonly conv: string
  /** Messages and edits with their bodies. */
  readonly bodies: number
}

export interface LeftPage {
  readonly conversations: readonly LeftBodies[]
  /** Where to go on; `null`: that was all. */
  readonly next: LeftPosition | null
}

/** Before the first conversation: `{conv: '', seq: 0}`. */
export interface LeftPosition {
  readonly conv: string
  /** Events up to there were counted. */
  readonly seq: number
}

const READ_EVENTS = 256
/** Of one page. */
const MOST_READS = 200

/**
 * What an erasure of the user would remove, or still has to: counted by conversation, in the order of
 * their ids, a bounded part at a time. A conversation whose end the page did not reach is on the next
 * one again, with the rest.
 */
export async function leftBodies(
  state: Pick<StateReader, 'conversationIdsOf' | 'bodiesAfter'>,
  user: string,
  from: LeftPosition,
  pause: () => Promise<boolean>,
): Promise<LeftPage> {
  const ids = (await state.conversationIdsOf(user)).filter((id) => id >= from.conv).sort()
  const conversations: LeftBodies[] = []
  let reads = 0
  for (const conv of ids) {
    let bodies = 0
    for (let after: number | null = conv === from.conv ? from.seq : 0; after !== null;) {
      if (reads === MOST_READS || !(await pause())) {
        if (bodies > 0) conversations.push({ conv, bodies })
        return { conversations, next: { conv, seq: after } }
      }
      reads += 1
      const page = await state.bodiesAfter(conv, user, after, READ_EVENTS)
      bodies += page?.seqs.length ?? 0
      after = page?.next ?? null
    }
    if (bodies > 0) conversations.push({ conv, bodies })
  }
  return { conversations, next: null }
}
