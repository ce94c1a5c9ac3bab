import type { History, Violation } from '../history/history.ts'

/** P5: one device's messages stand in the order it made them, and none is missing before an acked. */
export function fifo(history: History): Violation[] {
  const violations: Violation[] = []
  const orders = new Map<string, number>()
  for (const send of history.sends)
    orders.set(`${send.conv} ${send.user} ${send.msgId}`, send.order)
  for (const { conv, node, events } of history.finals) {
    const last = new Map<string, number>()
    for (const event of events) {
      const order = orders.get(`${conv} ${event.from} ${event.msgId}`)
      if (order === undefined) continue
      const sender = `${event.from}/${event.device}`
      const before = last.get(sender) ?? 0
      if (order < before) {
        violations.push({
          property: 'P5',
          message: `${conv} on ${node}: write ${order} of ${sender} stands after its write ${before}`,
        })
      }
      last.set(sender, order)
    }
  }
  return violations
}
