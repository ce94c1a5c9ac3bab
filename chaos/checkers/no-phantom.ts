import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/**
 * P7: nobody is ever shown a message that nobody sent, that was not sent yet, that differs from what
 * was sent, or whose sender was refused for good.
 */
export function noPhantom(history: History): Violation[] {
  const findings = new Findings('P7')
  for (const event of history.shown.all()) {
    if (event.kind !== 'message') continue
    const send = event.send ?? history.find(event.conv, event.from, event.msgId)
    const say = (why: string) =>
      findings.add(
        `${event.conv}#${event.seq} ${event.msgId} of ${event.from} in ${event.by} ${why}`,
      )
    if (send === null) say('was never sent')
    else if (send.invoked > event.shown) {
      say(`at ${history.when(event.shown)} was sent only at ${history.when(send.invoked)}`)
    } else if (send.refused !== null) say(`was refused for good (${send.refused})`)
    else if (send.body !== event.body) say(`has another body: ${event.body.slice(0, 60)}`)
    else if (send.device !== event.device) say(`is of ${send.device}, not of ${event.device}`)
    else if (send.replyTo !== event.replyTo) {
      say(`answers #${event.replyTo}, not #${send.replyTo} as sent`)
    }
  }
  return findings.violations
}
