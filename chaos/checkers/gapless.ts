import type { History, Violation } from '../history/history.ts'

/** P4: the seqs of a conversation are 1, 2, 3 … without a hole. */
export function gapless(history: History): Violation[] {
  const violations: Violation[] = []
  for (const { conv, node, events } of history.finals) {
    const at = events.findIndex((event, position) => event.seq !== position + 1)
    if (at >= 0) {
      violations.push({
        property: 'P4',
        message: `${conv} on ${node}: #${events[at]!.seq} stands where #${at + 1} belongs`,
      })
    }
  }
  return violations
}
