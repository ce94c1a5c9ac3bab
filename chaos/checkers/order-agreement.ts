import { finalsByConversation, type History, type Violation } from '../history/history.ts'

/** P3: every node holds the same message at the same seq. */
export function orderAgreement(history: History): Violation[] {
  const violations: Violation[] = []
  for (const [conv, reads] of finalsByConversation(history)) {
    const [first, ...others] = reads
    for (const other of others) {
      const length = Math.max(first!.events.length, other.events.length)
      for (let at = 0; at < length; at++) {
        const a = first!.events[at]
        const b = other.events[at]
        if (a?.seq === b?.seq && a?.msgId === b?.msgId && a?.body === b?.body) continue
        violations.push({
          property: 'P3',
          message: `${conv}: ${first!.node} has #${a?.seq} ${a?.msgId}, ${other.node} has #${b?.seq} ${b?.msgId}`,
        })
        break
      }
    }
  }
  return violations
}
