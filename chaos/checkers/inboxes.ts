import { Findings } from '../history/findings.ts'
import type { FinalInbox, History, Violation } from '../history/history.ts'

/**
 * P16: in the end every node holds the same inbox of a user (rule B3): numbers 1, 2, 3 … without a hole
 * or a repeat, and in it each conversation whole, in its order. The members of every conversation of
 * the workload are all users, from its first event on.
 */
export function inboxes(history: History): Violation[] {
  const findings = new Findings('P16')
  const first = new Map<string, FinalInbox>()
  for (const inbox of history.inboxes) {
    const { node, user, entries } = inbox
    const where = `the inbox of ${user} on ${node}`
    const heads = new Map<string, number>()
    for (const [at, { inbox: number, conv, seq }] of entries.entries()) {
      const next = (heads.get(conv) ?? 0) + 1
      heads.set(conv, seq)
      if (number === at + 1 && seq === next) continue
      findings.add(`${where} has ${conv}#${seq} as ${number}: #${next} as ${at + 1} belongs there`)
      break
    }
    for (const { conv, events } of history.finals.filter((final) => final.node === node)) {
      const held = heads.get(conv) ?? 0
      const why = () => `${where} ends at ${conv}#${held} of ${events.length}`
      findings.demand(held === events.length, why)
    }
    const other = first.get(user)
    first.set(user, other ?? inbox)
    if (other === undefined) continue
    const differs = entries.findIndex(({ conv, seq }, at) => {
      const there = other.entries[at]
      return there?.conv !== conv || there.seq !== seq
    })
    const why = () => `${where} is another than on ${other.node} at number ${differs + 1}`
    findings.demand(differs < 0 && entries.length === other.entries.length, why)
  }
  return findings.violations
}
