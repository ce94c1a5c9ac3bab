import type { History, Violation } from '../history/history.ts'

/** P7: nothing stands in a conversation that nobody sent, or whose sender was refused for good. */
export function noPhantom(history: History): Violation[] {
  const violations: Violation[] = []
  const sent = new Map(history.sends.map((s) => [`${s.conv} ${s.user} ${s.msgId}`, s]))
  for (const { conv, node, events } of history.finals) {
    for (const event of events) {
      if (event.kind !== 'message') continue
      const send = sent.get(`${conv} ${event.from} ${event.msgId}`)
      if (send !== undefined && send.refused === null && send.body === event.body) continue
      const why = send === undefined ? 'nobody sent' : `was refused (${send.refused}) or altered`
      violations.push({
        property: 'P7',
        message: `${conv}#${event.seq} on ${node}: ${event.msgId} ${why}`,
      })
    }
  }
  return violations
}
