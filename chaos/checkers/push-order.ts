import { Findings } from '../history/findings.ts'
import type { History, PushRecord, Violation } from '../history/history.ts'

/** P11: within one session the seqs of a conversation that are pushed rise; nothing comes twice. */
export function pushOrder(history: History): Violation[] {
  const findings = new Findings('P11')
  const sessions = new Map<string, Map<string, PushRecord>[]>()
  for (const push of history.pushes) {
    if (push.event === null) continue
    let ofDevice = sessions.get(push.device)
    if (ofDevice === undefined) sessions.set(push.device, (ofDevice = []))
    const last = (ofDevice[push.session] ??= new Map<string, PushRecord>())
    const before = last.get(push.conv)
    if (before !== undefined && before.seq >= push.seq) {
      findings.add(
        `${push.device} is pushed ${push.conv}#${push.seq} by ${push.node} at ${history.when(push.shown)}, after #${before.seq} in the same session`,
      )
    }
    last.set(push.conv, push)
  }
  return findings.violations
}
