import { Findings } from '../history/findings.ts'
import type { History, SendRecord, Violation } from '../history/history.ts'

/**
 * P13: once a write was acknowledged to a device, whatever that device reads, on whichever node, goes
 * as far as the write and shows it.
 */
export function ownWrites(history: History): Violation[] {
  const findings = new Findings('P13')
  const own = new Map<string, SendRecord[]>()
  for (const send of history.acknowledged) {
    const key = `${send.device} ${send.conv}`
    const list = own.get(key)
    if (list === undefined) own.set(key, [send])
    else list.push(send)
  }
  for (const list of own.values()) list.sort((a, b) => a.ackedAt - b.ackedAt)
  const reads = history.reads.toSorted((a, b) => a.asked - b.asked)
  const progress = new Map<
    string,
    { taken: number; bySeq: Map<number, SendRecord>; head: number }
  >()
  for (const read of reads) {
    const key = `${read.device} ${read.conv}`
    const writes = own.get(key)
    if (writes === undefined) continue
    let known = progress.get(key)
    if (known === undefined) progress.set(key, (known = { taken: 0, bySeq: new Map(), head: 0 }))
    while (known.taken < writes.length && writes[known.taken]!.ackedAt < read.asked) {
      const send = writes[known.taken++]!
      known.bySeq.set(send.acked!, send)
      known.head = Math.max(known.head, send.acked!)
    }
    const { bySeq, head } = known
    const where = () =>
      `what ${read.device} read of ${read.conv} on ${read.node} at ${history.when(read.answered)}`
    if (!read.hasMore && read.upTo < head) {
      const send = bySeq.get(head)!
      findings.add(
        `${where()} ends at #${read.upTo}, its own ${send.msgId} was acknowledged as #${head} at ${history.when(send.ackedAt)}`,
      )
    }
    for (const event of read.events) {
      const send = bySeq.get(event.seq)
      if (send === undefined || send.msgId === event.msgId) continue
      findings.add(`${where()} has ${event.msgId} at #${event.seq} for its own ${send.msgId}`)
    }
  }
  return findings.violations
}
