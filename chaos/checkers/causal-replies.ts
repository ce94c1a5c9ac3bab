import { Findings } from '../history/findings.ts'
import { type History, placeOf, type SendRecord, type Violation } from '../history/history.ts'

/**
 * P8: what a message follows stands before it. That is the write it named as `prev`, which has its
 * result when the next one is taken (rule A4); what it replies to (rule A7); and all that its device
 * had been shown of the conversation, by whichever node, when it was written.
 */
export function causalReplies(history: History): Violation[] {
  const findings = new Findings('P8')
  for (const send of history.sends) {
    const seq = placeOf(send)
    if (seq === null) continue
    const name = () => `${send.conv}#${seq} (${send.msgId} of ${send.device})`
    if (send.prev !== null) {
      const prev = history.find(send.conv, send.user, send.prev)
      const place = prev === null ? null : placeOf(prev)
      if (place === null) {
        const settled = prev !== null && prev.verdicts.length > 0
        findings.demand(settled, () => `${name()} was taken before ${send.prev}, which it follows`)
      } else if (place >= seq) {
        findings.add(`${name()} follows ${send.prev}, which stands at #${place}`)
      }
    }
    if (send.replyTo !== null && send.replyTo >= seq) {
      findings.add(`${name()} replies to #${send.replyTo}`)
    }
  }
  judgeShown(history, findings)
  return findings.violations
}

/** Replays what each device was shown, and when it wrote. */
function judgeShown(history: History, findings: Findings): void {
  const streams = new Map<string, Map<string, Step[]>>()
  const add = ({ device, conv }: { device: string; conv: string }, step: Step) => {
    let ofDevice = streams.get(device)
    if (ofDevice === undefined) streams.set(device, (ofDevice = new Map<string, Step[]>()))
    const steps = ofDevice.get(conv)
    if (steps === undefined) ofDevice.set(conv, [step])
    else steps.push(step)
  }
  for (const read of history.reads) {
    add(read, { moment: read.answered, seq: read.events.at(-1)?.seq ?? 0, send: null })
  }
  for (const push of history.pushes) add(push, { moment: push.shown, seq: push.seq, send: null })
  for (const delivery of history.deliveries) {
    add(delivery, { moment: delivery.shown, seq: delivery.event.seq, send: null })
  }
  for (const send of history.sends) {
    const seq = placeOf(send)
    if (seq !== null) add(send, { moment: send.invoked, seq, send })
  }
  for (const ofDevice of streams.values()) {
    for (const steps of ofDevice.values()) judgeStream(history, findings, steps)
  }
}

interface Step {
  readonly moment: number
  readonly seq: number
  /** Written then; else shown. */
  readonly send: SendRecord | null
}

function judgeStream(history: History, findings: Findings, steps: Step[]): void {
  let seen = 0
  for (const { seq, send } of steps.sort((a, b) => a.moment - b.moment)) {
    if (send === null) seen = Math.max(seen, seq)
    else if (seq <= seen) {
      const { conv, msgId, device, invoked } = send
      findings.add(
        `${conv}#${seq} (${msgId}) was written at ${history.when(invoked)}, when ${device} had been shown #${seen}`,
      )
    }
  }
}
