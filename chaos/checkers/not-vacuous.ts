import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/** So many tries without a single success are no bad luck. */
const TRIES = 30
/**
 * Injected so often, a fault must have done something. Those that need traffic of a certain kind in
 * their time, such as `replay`, come to nothing two times in three.
 */
const INJECTIONS = 30

/**
 * R19: a run in which nothing happened proves nothing. Something was acknowledged, each kind of
 * operation that was tried often succeeded, and each fault that was injected often left evidence.
 */
export function notVacuous(history: History): Violation[] {
  const findings = new Findings('R19')
  findings.demand(history.acknowledgedCount > 0, () => 'nothing was acknowledged')
  for (const [kind, { tried, succeeded }] of operationsOf(history)) {
    findings.demand(
      tried < TRIES || succeeded > 0,
      () => `${tried} × ${kind} were tried, none succeeded`,
    )
  }
  for (const [fault, { injected, evident }] of history.faults) {
    findings.demand(
      injected < INJECTIONS || evident > 0,
      () => `the fault ${fault} was injected ${injected} times and nothing came of it`,
    )
  }
  return findings.violations
}

interface Tally {
  tried: number
  succeeded: number
}

function operationsOf({ sends, reads, asked, acknowledgedCount }: History): Map<string, Tally> {
  const linearizable = reads.filter((read) => read.linearizable).length
  const replies = sends.filter(({ replyTo }) => replyTo !== null)
  return new Map<string, Tally>([
    ['writes', { tried: sends.length, succeeded: acknowledgedCount }],
    ['linearizable reads', { tried: asked.linearizable, succeeded: linearizable }],
    ['marked reads', { tried: asked.session, succeeded: reads.length - linearizable }],
    [
      'replies',
      { tried: replies.length, succeeded: replies.filter(({ acked }) => acked !== null).length },
    ],
  ])
}
