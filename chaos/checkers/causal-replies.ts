import { Findings } from '../history/findings.ts'
import type { History, SendRecord, Violation } from '../history/history.ts'

/**
 * P8: what a message follows stands before it. That is the write it named as `prev`, which has its
 * result when the next one is taken (rule A4); what it replies to (rule A7); and all that its device
 * had been shown of the conversation, by whichever node, when it was written.
 */
export function causalReplies(history: History): Violation[] {
  const findings = new Findings('P8')
  const places = placesOf(history)
  const sends = new Map(history.sends.map((s) => [keyOf(s.conv, s.user, s.msgId), s]))
  for (const [send, seq] of places) {
    const name = `${send.conv}#${seq} (${send.msgId} of ${send.device})`
    if (send.prev !== null) {
      const prev = sends.get(keyOf(send.conv, send.user, send.prev))
      const place = prev === undefined ? undefined : places.get(prev)
      if (place === undefined) {
        const settled = prev !== undefined && prev.verdicts.length > 0
        findings.demand(settled, () => `${name} was taken before ${send.prev}, which it follows`)
      } else {
        findings.demand(
          place < seq,
          () => `${name} follows ${send.prev}, which stands at #${place}`,
        )
      }
    }
    if (send.replyTo !== null) {
      findings.demand(send.replyTo < seq, () => `${name} replies to #${send.replyTo}`)
    }
  }
  judgeShown(history, findings, places)
  return findings.violations
}

const keyOf = (conv: string, user: string, msgId: string) => `${conv} ${user} ${msgId}`

/** Where each write stands, if anybody was told. */
function placesOf(history: History): Map<SendRecord, number> {
  const sends = new Map(history.sends.map((s) => [keyOf(s.conv, s.user, s.msgId), s]))
  const places = new Map<SendRecord, number>()
  for (const send of history.sends) if (send.acked !== null) places.set(send, send.acked)
  for (const { conv, from, msgId, seq } of history.shown.all()) {
    const send = sends.get(keyOf(conv, from, msgId))
    if (send !== undefined) places.set(send, seq)
  }
  return places
}

/** Replays what each device was shown, and when it wrote. */
function judgeShown(
  history: History,
  findings: Findings,
  places: ReadonlyMap<SendRecord, number>,
): void {
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
  for (const [send, seq] of places) add(send, { moment: send.invoked, seq, send })
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
