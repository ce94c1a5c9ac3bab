import { Findings } from '../history/findings.ts'
import type { Delivery, History, Violation } from '../history/history.ts'

/**
 * P14: what an SDK client hands to its application is in order and without a hole: in a stream of all
 * events each seq is one more than the last, in a stream of messages each `ord`, per conversation.
 */
export function streams(history: History): Violation[] {
  const findings = new Findings('P14')
  const last = new Map<string, Delivery>()
  for (const delivery of history.deliveries) {
    const { stream, conv, counted, event, shown } = delivery
    const key = `${stream} ${conv}`
    const before = last.get(key)
    last.set(key, delivery)
    if (before === undefined || event[counted] === before.event[counted] + 1) continue
    findings.add(
      `${stream} is handed ${conv}#${event.seq} (${counted} ${event[counted]}) at ${history.when(shown)}, right after #${before.event.seq} (${counted} ${before.event[counted]})`,
    )
  }
  return findings.violations
}
