import { Findings } from '../history/findings.ts'
import type { FinalRead, History, SendRecord, Violation } from '../history/history.ts'

/**
 * P1: every acknowledged message stands at its seq, with its body, on every node that was read, and
 * in every page that covers the seq and was shown to anybody.
 */
export function acknowledgedNeverLost(history: History): Violation[] {
  const findings = new Findings('P1')
  const finals = finalsByConversation(history)
  const nodes = [...new Set(history.finals.map(({ node }) => node))]
  for (const send of history.acknowledged) {
    const views = finals.get(send.conv)
    for (const node of nodes.length === 0 ? ['any node'] : nodes) {
      const view = views?.get(node)
      if (view === undefined) {
        findings.add(`${send.conv} with ${nameOf(history, send)} was never read from ${node}`)
        continue
      }
      const lost = lossOf(send, view)
      if (lost !== null) findings.add(`${nameOf(history, send)} ${lost} on ${node}`)
    }
  }
  judgePages(history, findings)
  return findings.violations
}

/** What a node holds, and where that ends. */
interface View {
  readonly events: FinalRead['events']
  readonly first: number
  readonly last: number
}

function finalsByConversation({ finals }: History): Map<string, Map<string, View>> {
  const found = new Map<string, Map<string, View>>()
  for (const { conv, node, events } of finals) {
    let byNode = found.get(conv)
    if (byNode === undefined) found.set(conv, (byNode = new Map<string, View>()))
    byNode.set(node, {
      events,
      first: events[0]?.seq ?? 0,
      last: events.at(-1)?.seq ?? 0,
    })
  }
  return found
}

function lossOf(send: SendRecord, { events, first, last }: View): string | null {
  const seq = send.acked!
  // Where it stands if nothing is missing.
  const expected = events[seq - first]
  const found = expected?.seq === seq ? expected : events.find((event) => event.seq === seq)
  if (found === undefined) {
    if (events.length === 0) return 'is lost with the whole conversation'
    if (seq > last) return `is lost: the conversation ends at #${last}`
    return seq < first ? `is lost: the conversation begins at #${first}` : 'is lost from the middle'
  }
  if (found.msgId !== send.msgId || found.from !== send.user) {
    return `is lost: ${found.msgId} of ${found.from} stands there`
  }
  return found.body === send.body ? null : `has another body: ${found.body.slice(0, 60)}`
}

function judgePages(history: History, findings: Findings): void {
  const acked = new Map<string, Map<number, SendRecord>>()
  for (const send of history.acknowledged) {
    let bySeq = acked.get(send.conv)
    if (bySeq === undefined) acked.set(send.conv, (bySeq = new Map<number, SendRecord>()))
    bySeq.set(send.acked!, send)
  }
  for (const { conv, events, after, node, device, asked, answered } of history.reads) {
    const bySeq = acked.get(conv)
    const last = events.at(-1)?.seq ?? after
    if (bySeq === undefined || events.length === last - after) continue
    const held = new Set(events.map(({ seq }) => seq))
    for (let seq = after + 1; seq < last; seq++) {
      const send = held.has(seq) ? undefined : bySeq.get(seq)
      if (send === undefined || send.ackedAt > asked) continue
      const when = history.when(answered)
      findings.add(`${nameOf(history, send)} is not in what ${device} read on ${node} at ${when}`)
    }
  }
}

function nameOf(history: History, { conv, acked, msgId, ackedAt }: SendRecord): string {
  return `${conv}#${acked} (${msgId}, acknowledged at ${history.when(ackedAt)})`
}
