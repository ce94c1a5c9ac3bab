import { Findings } from '../history/findings.ts'
import type { History, SendRecord, ShownEvent, Violation } from '../history/history.ts'

/**
 * P3: a seq of a conversation names one event, whoever is told of it: in answers, pages, pushes and
 * what each node holds at the end. All of it is compared: sender, msgId, kind, body, `ord`, `at`.
 */
export function orderAgreement(history: History): Violation[] {
  const findings = new Findings('P3')
  const acked = new Map<string, Map<number, SendRecord>>()
  for (const send of history.acknowledged) {
    let bySeq = acked.get(send.conv)
    if (bySeq === undefined) acked.set(send.conv, (bySeq = new Map<number, SendRecord>()))
    const other = bySeq.get(send.acked!)
    if (other === undefined) bySeq.set(send.acked!, send)
    else {
      const key = `${send.conv}#${send.acked}`
      findings.add(`${key} was acknowledged to ${other.msgId} and to ${send.msgId}`)
    }
  }
  for (const conv of history.shown.conversations) {
    const bySeq = acked.get(conv)
    for (const contents of history.shown.of(conv)) {
      const first = contents[0]!
      for (const other of contents.slice(1)) {
        const fields = differing(first, other).join(', ')
        findings.add(
          `${conv}#${first.seq} has two contents (${fields}): ${textOf(first)} by ${first.by}, ${textOf(other)} by ${other.by}`,
        )
      }
      const send = bySeq?.get(first.seq)
      if (send !== undefined) judgeAnswers(history, findings, send, first)
    }
  }
  return findings.violations
}

const FIELDS = ['msgId', 'from', 'device', 'kind', 'ord', 'at', 'replyTo', 'body'] as const

function differing(one: ShownEvent, other: ShownEvent): string[] {
  return FIELDS.filter((field) => one[field] !== other[field])
}

function textOf({ msgId, from, ord, at }: ShownEvent): string {
  return `${msgId} of ${from} (ord ${ord}, at ${at})`
}

/** What the sender was told of its message is what everybody is shown. */
function judgeAnswers(
  history: History,
  findings: Findings,
  send: SendRecord,
  event: ShownEvent,
): void {
  const key = `${send.conv}#${event.seq}`
  if (event.msgId !== send.msgId || event.from !== send.user) {
    const when = history.when(send.ackedAt)
    findings.add(
      `${key} was acknowledged to ${send.msgId} of ${send.user} at ${when}, is ${textOf(event)} in ${event.by}`,
    )
    return
  }
  for (const { seq, at, ord, node, moment } of send.verdicts) {
    if (seq !== event.seq) continue
    const same = (at ?? event.at) === event.at && (ord ?? event.ord) === event.ord
    findings.demand(
      same,
      () =>
        `${key} was answered with ord ${ord}, at ${at} by ${node} at ${history.when(moment)}, is shown as ${textOf(event)}`,
    )
  }
}
