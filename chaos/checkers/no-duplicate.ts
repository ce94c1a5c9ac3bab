import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/**
 * P2: a message stands at one seq only, in all that anybody was ever shown; of all its copies one at
 * most was taken for new, and each was answered with the same seq (rule A2).
 */
export function noDuplicate(history: History): Violation[] {
  const findings = new Findings('P2')
  for (const { conv, from, msgId, seq, by, send } of history.shown.all()) {
    if (send === null || send.seen === seq) continue
    findings.add(`${msgId} of ${from} stands at ${conv}#${send.seen} and at #${seq}, says ${by}`)
  }
  for (const { conv, msgId, verdicts } of history.sends) {
    const accepted = verdicts.filter(({ seq, forged }) => seq !== null && !forged)
    const [first] = accepted
    if (first === undefined) continue
    for (const { seq, node, moment } of accepted) {
      const when = history.when(moment)
      const what = `a copy of ${msgId} is answered ${conv}#${seq} by ${node} at ${when}`
      findings.demand(seq === first.seq, () => `${what}, another one was #${first.seq}`)
    }
    const fresh = accepted.filter(({ duplicate }) => !duplicate)
    findings.demand(
      fresh.length <= 1,
      () => `${fresh.length} copies of ${conv}#${first.seq} ${msgId} were each taken for the first`,
    )
  }
  return findings.violations
}
