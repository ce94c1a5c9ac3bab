import type { FeatureEvent, FeedPage } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

type FeedEvent = FeedPage['events'][number]

/**
 * P20: whoever follows the feed of all conversations by its cursor, over whichever nodes, is given each
 * event once and in order, the same under the same cursor for everybody: per conversation the seqs 1, 2,
 * 3 … without a hole, unless a gap tells how many are missing. In the end it has every conversation
 * whole, and messages in it are those that were sent.
 */
export function feed(history: History): Violation[] {
  const findings = new Findings('P20')
  const byCursor = new Map<string, FeedEvent>()
  for (const [reader, pages] of chainsOf(history.features.feed)) {
    follow(findings, history, reader, pages)
    for (const { events, node } of pages) {
      for (const event of events) {
        const { cursor, conv, seq } = event
        const other = byCursor.get(cursor)
        byCursor.set(cursor, other ?? event)
        findings.demand(
          other === undefined || (other.conv === conv && other.seq === seq),
          () => `${cursor} is ${conv}#${seq} on ${node}, and was ${other!.conv}#${other!.seq}`,
        )
        judgeEvent(findings, history, event, () => `${conv}#${seq} in the feed of ${node}`)
      }
    }
  }
  judgeEnd(findings, history)
  return findings.violations
}

/** By reader; a reader that began again is asked to finish first. */
function chainsOf(feedPages: readonly FeedPage[]): Map<string, FeedPage[]> {
  const chains = new Map<string, FeedPage[]>()
  for (const page of feedPages) {
    const chain = chains.get(page.reader)
    // A last look that failed half way begins anew.
    if (chain === undefined || page.after === null) chains.set(page.reader, [page])
    else chain.push(page)
  }
  return chains
}

function follow(
  findings: Findings,
  history: History,
  reader: string,
  pages: readonly FeedPage[],
): void {
  const heads = new Map<string, number>()
  let cursor: string | null = null
  let missed = 0
  for (const page of pages) {
    const where = () => `${reader} on ${page.node} at ${history.when(page.answered)}`
    findings.demand(
      page.after === cursor,
      () => `${where()} goes on after ${page.after}, not ${cursor}`,
    )
    cursor = page.next
    missed += page.missed
    findings.demand(
      page.events.length === 0 || page.events.at(-1)!.cursor === page.next,
      () => `${where()} is told ${page.next} for the cursor ${page.events.at(-1)!.cursor}`,
    )
    for (const { conv, seq } of page.events) {
      const next = (heads.get(conv) ?? 0) + 1
      heads.set(conv, seq)
      if (seq === next) continue
      if (seq < next) {
        findings.add(`${where()} is given ${conv}#${seq}, after #${next - 1}`)
        continue
      }
      missed -= seq - next
      findings.demand(
        missed >= 0,
        () => `${where()} is given ${conv}#${seq} where #${next} belongs, and no gap tells of it`,
      )
    }
  }
}

/** As it was sent, if the feed says what it is. */
function judgeEvent(
  findings: Findings,
  history: History,
  { conv, from, msgId, kind, body, edited, seq }: FeatureEvent & { conv: string },
  where: () => string,
): void {
  if (kind !== 'message' || edited !== null || body === null) return
  const { features } = history
  if (features.conversations.includes(conv)) return
  const send = history.find(conv, from, msgId)
  findings.demand(send !== null, () => `${where()}: nobody sent ${msgId}`)
  if (send === null) return
  findings.demand(send.body === body, () => `${where()} says "${body}", not "${send.body}"`)
  findings.demand(
    send.acked === null || send.acked === seq,
    () => `${where()} was acknowledged as #${send.acked}`,
  )
}

/** Every node's whole feed ends with the newest event of every conversation. */
function judgeEnd(findings: Findings, history: History): void {
  const heads = new Map<string, number>()
  for (const { conv, events } of history.finals) heads.set(conv, events.length)
  for (const { conv, final, upTo } of history.features.pages) if (final) heads.set(conv, upTo)
  for (const [reader, pages] of chainsOf(history.features.feed.filter(({ final }) => final))) {
    const last = new Map<string, number>()
    for (const { events } of pages) for (const { conv, seq } of events) last.set(conv, seq)
    const isWhole = pages.every(({ missed }) => missed === 0)
    for (const [conv, head] of heads) {
      const seq = last.get(conv) ?? 0
      // What is kept no more may hold all of a quiet conversation.
      if (seq === head || (!isWhole && seq === 0)) continue
      findings.add(`${reader} ends with ${conv}#${seq}; it goes up to #${head}`)
    }
  }
}
