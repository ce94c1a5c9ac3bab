import { Findings } from '../history/findings.ts'
import type { History, SendRecord, Violation } from '../history/history.ts'

/**
 * P5: the messages of one device stand in the order it made them, pipelined or not, judged by every
 * place that anybody was ever told: in answers, pages, pushes and final reads (rule A4).
 */
export function fifo(history: History): Violation[] {
  const findings = new Findings('P5')
  const sends = new Map<string, SendRecord>()
  const places = new Map<SendRecord, number>()
  for (const send of history.sends) {
    sends.set(`${send.conv} ${send.user} ${send.msgId}`, send)
    if (send.acked !== null) places.set(send, send.acked)
  }
  for (const { conv, from, msgId, seq } of history.shown.all()) {
    const send = sends.get(`${conv} ${from} ${msgId}`)
    if (send !== undefined) places.set(send, seq)
  }
  const last = new Map<string, SendRecord>()
  for (const [send, seq] of [...places].toSorted(([a], [b]) => a.order - b.order)) {
    const device = `${send.conv} ${send.user} ${send.device}`
    const before = last.get(device)
    if (before !== undefined && places.get(before)! > seq) {
      const name = `${send.user}/${send.device}`
      findings.add(
        `${send.conv}: write ${send.order} of ${name} (${send.msgId}) stands at #${seq}, its earlier write ${before.order} (${before.msgId}) at #${places.get(before)}`,
      )
    }
    last.set(device, send)
  }
  return findings.violations
}
