import type { History, Violation } from '../history/history.ts'

/** P1: every acknowledged message stands at its seq, with its body, on every node that was read. */
export function acknowledgedNeverLost(history: History): Violation[] {
  const violations: Violation[] = []
  const lose = (message: string) => violations.push({ property: 'P1', message })
  const reads = new Map<string, Map<number, { msgId: string; body: string; from: string }>[]>()
  const nodes = new Map<string, string[]>()
  for (const { conv, node, events } of history.finals) {
    const list = reads.get(conv) ?? []
    list.push(new Map(events.map((event) => [event.seq, event])))
    reads.set(conv, list)
    nodes.set(conv, [...(nodes.get(conv) ?? []), node])
  }
  for (const send of history.acknowledged) {
    const views = reads.get(send.conv)
    if (views === undefined) {
      lose(`${send.conv} holds the acknowledged ${send.msgId} and was never read`)
      continue
    }
    views.forEach((view, position) => {
      const node = nodes.get(send.conv)![position]!
      const found = view.get(send.acked!)
      if (found?.msgId !== send.msgId || found.from !== send.user) {
        lose(
          `${send.conv}#${send.acked} was ${send.msgId} when acknowledged, is ${found?.msgId ?? 'nothing'} on ${node}`,
        )
      } else if (found.body !== send.body) {
        lose(`${send.conv}#${send.acked} has another body on ${node}`)
      }
    })
  }
  return violations
}
