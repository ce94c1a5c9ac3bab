import { setTimeout as sleep } from 'node:timers/promises'
import { isFailure, type PullAnswer } from '#protocol'
import { AskingSession } from './asking-session.ts'
import {
  type ConversationJudge,
  type Ledger,
  NOTHING_VERIFIED,
  sumVerified,
  type Verified,
} from './ledger.ts'
import { type LoadTarget, senderName } from './load-target.ts'

export interface ReadBackOptions {
  readonly target: LoadTarget
  readonly ledger: Ledger
  /** Conversations of one user are read by that user. */
  readonly senderOf: (at: number) => number
  readonly body: Uint8Array
  /** Conversations done, of all that are read. */
  readonly onProgress?: ((done: number, all: number) => void) | undefined
}

/** Users who read at the same time. */
const READERS = 8
const PATIENCE_MS = 60_000
const PAGE = 1_000
const RETRY_MS = 200

/**
 * Reads every conversation that has an acknowledged message, from a node that has confirmed with the
 * leader that it is not behind, and compares it with what was acknowledged.
 *
 * @throws Error if it cannot be read: nothing is proven then
 */
export async function readBack(options: ReadBackOptions): Promise<Verified> {
  const { target, ledger, senderOf, onProgress } = options
  const byUser = new Map<number, number[]>()
  let all = 0
  for (let at = 0; at < ledger.size; at++) {
    if (ledger.idOf(at) === null) continue
    const own = byUser.get(senderOf(at))
    if (own === undefined) byUser.set(senderOf(at), [at])
    else own.push(at)
    all += 1
  }
  const users = [...byUser]
  let verified = NOTHING_VERIFIED
  let done = 0
  const work = async () => {
    for (let next = users.shift(); next !== undefined; next = users.shift()) {
      const [at, conversations] = next
      const user = senderName(target.prefix, at)
      const session = await AskingSession.open({ target, user, device: 'reader', first: at })
      try {
        for (const conversation of conversations) {
          const judge = ledger.judge(conversation)
          await read(session, ledger.idOf(conversation)!, { judge, body: options.body })
          verified = sumVerified(verified, judge.verdict())
          done += 1
          onProgress?.(done, all)
        }
      } finally {
        session.close()
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(READERS, users.length) }, work))
  return verified
}

/** All that is kept of a conversation, in its order. */
async function read(
  session: AskingSession,
  conv: string,
  { judge, body }: { readonly judge: ConversationJudge; readonly body: Uint8Array },
): Promise<void> {
  for (let after = 0; ;) {
    const page = await pull(session, conv, after)
    for (const { seq, kind, msgId, body: stored, expired } of page.events) {
      if (kind !== 'message') continue
      const isWhole = stored !== undefined && Buffer.compare(stored, body) === 0
      if (expired === true) judge.removed(seq, seq)
      else judge.take({ seq, msgId, isWhole })
    }
    if (page.gap) judge.removed(page.gap.from, page.gap.to)
    if (!page.hasMore) return
    if (page.next <= after) throw new Error('pull:A does not go on')
    after = page.next
  }
}

async function pull(session: AskingSession, conv: string, after: number): Promise<PullAnswer> {
  const deadline = performance.now() + PATIENCE_MS
  // Only the first page asks the leader: what was acknowledged by then is in the others too.
  const read = after === 0 ? 'linearizable' : 'session'
  for (;;) {
    const answer = await session.ask({ t: 'pull:R', conv, after, limit: PAGE, read })
    if (!isFailure(answer)) return answer as PullAnswer
    const { code, message, retryable } = answer.error
    if (!retryable || performance.now() > deadline) throw new Error(`${code}: ${message}`)
    await sleep(RETRY_MS)
  }
}
