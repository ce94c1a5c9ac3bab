import { Findings } from '../history/findings.ts'
import { type History, placeOf, type SendRecord, type Violation } from '../history/history.ts'
import { type Anomaly, anomalyOf, type LogOperation, type LogRead } from './linearizable-log.ts'

type Told = LogOperation & { readonly what: string }

/**
 * P6: appends and linearizable reads of each conversation are linearizable. Whatever else anybody was
 * shown, by a page, a push or an answer, binds all that begins later: it was committed then.
 */
export function linearizable(history: History): Violation[] {
  const findings = new Findings('P6')
  const byConversation = new Map<string, Told[]>()
  const add = (conv: string, operation: Told) => {
    const list = byConversation.get(conv)
    if (list === undefined) byConversation.set(conv, [operation])
    else list.push(operation)
  }
  for (const send of history.sends) {
    const { msgId, invoked, ackedAt: returned } = send
    const seq = placeOf(send)
    if (seq === null && mustBeNowhere(history, send)) continue
    const what = `${msgId} of ${send.device}`
    add(send.conv, { kind: 'append', value: msgId, seq, invoked, returned, what })
  }
  // What the product wrote itself, or what P7 calls a phantom: it stands there, since before.
  for (const { conv, seq, kind, by, send } of history.shown.all()) {
    if (send !== null) continue
    const [invoked, returned] = [0, Infinity]
    add(conv, { kind: 'append', value: `#${seq}`, seq, invoked, returned, what: `${kind}, ${by}` })
  }
  for (const [conv, operation] of looksOf(history)) add(conv, operation)
  for (const [conv, operations] of byConversation) {
    const anomaly = anomalyOf(operations)
    if (anomaly !== null) findings.add(explain(history, conv, anomaly))
  }
  return findings.violations
}

/** After a complete final read a write that was not found anywhere never took effect. */
function mustBeNowhere(history: History, { conv, refused }: SendRecord): boolean {
  return refused !== null || history.finals.some((final) => final.conv === conv)
}

function* looksOf(history: History): Generator<[conv: string, LogRead & { what: string }]> {
  for (const read of history.reads) {
    const { conv, asked, answered: returned, upTo: length } = read
    const kind = read.linearizable ? 'linearizable' : 'marked'
    const what = `${kind} read by ${read.device} on ${read.node}`
    // Shown in part, or by a node that may be behind: it was there by the time it was shown.
    const exact = read.linearizable && !read.hasMore
    const invoked = exact ? asked : returned
    yield [conv, { kind: 'read', length, exact, invoked, returned, what }]
  }
  // Only who is the first to be pushed so far tells anything new.
  const heads = new Map<string, number>()
  for (const { conv, seq: length, shown: invoked, device, node } of history.pushes) {
    if (length <= (heads.get(conv) ?? 0)) continue
    heads.set(conv, length)
    const what = `push to ${device} from ${node}`
    yield [conv, { kind: 'read', length, exact: false, invoked, returned: invoked, what }]
  }
  const handed = new Map<string, number>()
  for (const { conv, event, shown: invoked, stream } of history.deliveries) {
    if (event.seq <= (handed.get(conv) ?? 0)) continue
    handed.set(conv, event.seq)
    const what = `stream of ${stream}`
    const length = event.seq
    yield [conv, { kind: 'read', length, exact: false, invoked, returned: invoked, what }]
  }
}

function explain(history: History, conv: string, { why, operations, seq }: Anomaly<Told>): string {
  const told = operations.map((operation) => textOf(history, operation))
  switch (why) {
    case 'one place, two values':
      return `${conv}#${seq} was given to two writes: ${told.join(' and ')}`
    case 'real time':
      return `${conv} is not linearizable: ${told[0]}, and then ${told[1]}`
    case 'nothing can stand there':
      return `${conv}#${seq}: no write can stand there that began before ${told[0]}`
  }
}

function textOf(history: History, operation: Told): string {
  const { what, invoked, returned } = operation
  const end = returned === Infinity ? 'never answered' : `ended at ${history.when(returned)}`
  const place = operation.kind === 'read' ? `up to #${operation.length}` : `at #${operation.seq}`
  return `the ${operation.kind} ${what} ${place} (began at ${history.when(invoked)}, ${end})`
}
