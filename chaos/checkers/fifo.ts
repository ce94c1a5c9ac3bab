import { Findings } from '../history/findings.ts'
import { type History, placeOf, type SendRecord, type Violation } from '../history/history.ts'

/**
 * P5: the messages of one device stand in the order it made them, pipelined or not, judged by every
 * place that anybody was ever told: in answers, pages, pushes and final reads (rule A4). One that the
 * device gave up with an unknown outcome stands anywhere.
 */
export function fifo(history: History): Violation[] {
  const findings = new Findings('P5')
  const byDevice = new Map<string, Map<string, SendRecord[]>>()
  for (const send of history.sends) {
    if (placeOf(send) === null || send.abandoned) continue
    let ofDevice = byDevice.get(send.device)
    if (ofDevice === undefined) byDevice.set(send.device, (ofDevice = new Map()))
    const list = ofDevice.get(send.conv)
    if (list === undefined) ofDevice.set(send.conv, [send])
    else list.push(send)
  }
  for (const ofDevice of byDevice.values()) {
    for (const sends of ofDevice.values()) judge(findings, sends)
  }
  return findings.violations
}

function judge(findings: Findings, sends: SendRecord[]): void {
  let before: SendRecord | null = null
  for (const send of sends.sort((a, b) => a.order - b.order)) {
    if (before !== null && placeOf(before)! > placeOf(send)!) {
      const { conv, user, device, order, msgId } = send
      findings.add(
        `${conv}: write ${order} of ${user}/${device} (${msgId}) stands at #${placeOf(send)}, its earlier write ${before.order} (${before.msgId}) at #${placeOf(before)}`,
      )
    }
    before = send
  }
}
