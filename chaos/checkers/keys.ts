import { Findings } from '../history/findings.ts'
import type { History, SendRecord, Verdict, Violation } from '../history/history.ts'

/** Says that the result is no longer known, not what it was (rule A3). */
const FORGOTTEN = 'WINDOW_EXPIRED'

/**
 * P9: the first verdict on a key stands for ever, on every node, over restarts, changes of leader and
 * snapshots: every later copy has the same seq, `at` and `ord`, or the same refusal; past the window
 * it is refused as forgotten, never stored again; another body under the key is never taken (rules
 * A2, A3).
 */
export function keys(history: History): Violation[] {
  const findings = new Findings('P9')
  for (const send of history.sends) {
    const [first] = send.verdicts.filter((verdict) => !verdict.forged && !isForgotten(verdict))
    let forgotten: Verdict | undefined
    for (const verdict of send.verdicts) {
      if (verdict.forged) {
        findings.demand(
          verdict.refused === 'PAYLOAD_MISMATCH' || isForgotten(verdict),
          () => `${nameOf(history, send, verdict)} for a copy with another body`,
        )
        continue
      }
      if (isForgotten(verdict)) {
        forgotten ??= verdict
        continue
      }
      findings.demand(
        forgotten === undefined || verdict.duplicate || verdict.refused !== null,
        () => `${nameOf(history, send, verdict)} as new, after ${FORGOTTEN}`,
      )
      findings.demand(
        isSame(verdict, first!),
        () => `${nameOf(history, send, verdict)}; the first verdict was ${textOf(first!)}`,
      )
    }
  }
  judgePlaces(history, findings)
  return findings.violations
}

/** A key is of one user in one conversation: two devices that use one msgId share its one place. */
function judgePlaces(history: History, findings: Findings): void {
  for (const { user, msgId, conv, acked } of history.sends) {
    const first = acked === null ? null : history.find(conv, user, msgId)
    if (first === null || first.acked === null || first.acked === acked) continue
    findings.add(
      `the key ${user} ${msgId} in ${conv} was accepted at #${first.acked} and at #${acked}`,
    )
  }
}

const isForgotten = ({ refused }: Verdict): boolean => refused === FORGOTTEN

function isSame(one: Verdict, other: Verdict): boolean {
  return (
    one.seq === other.seq &&
    one.refused === other.refused &&
    (one.at ?? other.at) === (other.at ?? one.at) &&
    (one.ord ?? other.ord) === (other.ord ?? one.ord)
  )
}

function textOf({ refused, seq, at, ord, node }: Verdict): string {
  return `${refused ?? `#${seq} (at ${at}, ord ${ord})`} from ${node}`
}

function nameOf(history: History, { conv, msgId }: SendRecord, verdict: Verdict): string {
  return `${msgId} of ${conv} was answered ${textOf(verdict)} at ${history.when(verdict.moment)}`
}
