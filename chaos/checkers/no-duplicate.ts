import type { History, Violation } from '../history/history.ts'

/** P2: a message stands at one seq only, and each repeated copy was answered with that seq. */
export function noDuplicate(history: History): Violation[] {
  const violations: Violation[] = []
  for (const { conv, node, events } of history.finals) {
    const seen = new Map<string, number>()
    for (const event of events) {
      const key = `${event.from} ${event.msgId}`
      const before = seen.get(key)
      if (before !== undefined) {
        violations.push({
          property: 'P2',
          message: `${key} stands at ${conv}#${before} and #${event.seq} on ${node}`,
        })
      }
      seen.set(key, event.seq)
    }
  }
  for (const send of history.sends) {
    for (const repeat of send.repeats) {
      if (repeat.seq === send.acked && repeat.duplicate) continue
      violations.push({
        property: 'P2',
        message: `a copy of ${send.conv}#${send.acked} ${send.msgId} was answered ${repeat.seq}, duplicate ${repeat.duplicate}`,
      })
    }
  }
  return violations
}
