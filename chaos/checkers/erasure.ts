import type { FeatureEvent, Features } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/**
 * P21: once the nodes say that an erasure is done, none of them hands out, in pages, inboxes or the
 * feed, what the user had said before it was asked for: neither messages nor edits (rule B7).
 */
export function erasure(history: History): Violation[] {
  const findings = new Findings('P21')
  const { features } = history
  for (const { user, invoked } of features.erasures) {
    const said = new Set<string>()
    for (const write of features.writes) {
      // What was answered later may have come after all was done.
      if (write.user === user && write.answered < invoked && write.body !== null) {
        said.add(write.msgId)
        said.add(`${write.body}`)
      }
    }
    for (const { where, event } of lastLooks(features)) {
      if (event.from !== user || event.body === null) continue
      const isHis = said.has(event.body) || (event.edited === null && said.has(event.msgId))
      findings.demand(
        !isHis,
        () => `${where}#${event.seq} says "${event.body}", which ${user} had erased`,
      )
    }
  }
  return findings.violations
}

/** All that was read from every node in the end. */
function* lastLooks({
  pages,
  syncs,
  feed,
}: Features): Generator<{ where: string; event: FeatureEvent }> {
  for (const { final, conv, node, events } of pages) {
    if (final) for (const event of events) yield { where: `a page of ${node}: ${conv}`, event }
  }
  for (const { final, node, events } of syncs) {
    if (!final) continue
    for (const event of events) yield { where: `an inbox on ${node}: ${event.conv}`, event }
  }
  for (const { final, node, events } of feed) {
    if (!final) continue
    for (const event of events) yield { where: `the feed of ${node}: ${event.conv}`, event }
  }
}
