import { Findings } from '../history/findings.ts'
import type { History, ShownEvent, Violation } from '../history/history.ts'

/**
 * P4: the seqs of a conversation are 1, 2, 3 … without a hole, in the whole of it and within each
 * page; a page goes on after where it was asked to and ends where it says; `ord` counts the messages
 * (rule B1) and `at` never falls (rule A8).
 */
export function gapless(history: History): Violation[] {
  const findings = new Findings('P4')
  for (const { conv, node, events } of history.finals) {
    judgeRun(findings, events, 0, `${conv} on ${node}`)
    let messages = 0
    let at = 0
    for (const event of events) {
      if (event.kind === 'message') messages += 1
      if (event.ord !== messages) {
        findings.add(
          `${conv}#${event.seq} on ${node} has ord ${event.ord}, it is message ${messages}`,
        )
        break
      }
      if (event.at < at) {
        findings.add(`${conv}#${event.seq} on ${node} is of ${event.at}, the one before of ${at}`)
        break
      }
      at = event.at
    }
  }
  for (const read of history.reads) {
    const { conv, device, node, events, after, upTo, hasMore, answered } = read
    const page = () =>
      `a page of ${conv} after ${after} for ${device} from ${node} at ${history.when(answered)}`
    judgeRun(findings, events, after, page)
    const last = events.at(-1)?.seq
    // Asked for from beyond its end a node says where that is.
    const isWhole = last === undefined ? upTo <= after && !hasMore : last === upTo
    findings.demand(
      isWhole,
      () => `${page()} ends at #${last ?? after}, says #${upTo} and hasMore ${hasMore}`,
    )
  }
  return findings.violations
}

function judgeRun(
  findings: Findings,
  events: readonly ShownEvent[],
  after: number,
  where: string | (() => string),
): void {
  for (let at = 0; at < events.length; at++) {
    const { seq } = events[at]!
    if (seq === after + at + 1) continue
    const name = typeof where === 'string' ? where : where()
    findings.add(`${name}: #${seq} stands where #${after + at + 1} belongs`)
    return
  }
}
