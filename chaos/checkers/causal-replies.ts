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
  type Step = { moment: number; device: string; conv: string; seq: number; send: SendRecord | null }
  const steps: Step[] = []
  for (const { device, conv, events, answered } of history.reads) {
    const seq = events.at(-1)?.seq
    if (seq !== undefined) steps.push({ moment: answered, device, conv, seq, send: null })
  }
  for (const { device, conv, seq, shown } of history.pushes) {
    steps.push({ moment: shown, device, conv, seq, send: null })
  }
  for (const [send, seq] of places) {
    const { device, conv, invoked } = send
    steps.push({ moment: invoked, device, conv, seq, send })
  }
  const known = new Map<string, number>()
  for (const { device, conv, seq, send } of steps.toSorted((a, b) => a.moment - b.moment)) {
    const key = `${device} ${conv}`
    const seen = known.get(key) ?? 0
    if (send === null) known.set(key, Math.max(seen, seq))
    else if (seq <= seen) {
      const when = history.when(send.invoked)
      findings.add(
        `${conv}#${seq} (${send.msgId}) was written at ${when}, when ${device} had been shown #${seen}`,
      )
    }
  }
}
