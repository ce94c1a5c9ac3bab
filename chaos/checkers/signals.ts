import type { FeatureEvent, Features, SignalHeard, SignalSent } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/** All that a conversation ever holds. */
const KINDS = new Set(['', 'message', 'edit', 'recall', 'reaction', 'member', 'settings'])

/**
 * P19: a signal arrives as it was sent, after it was sent, at most once at each session and never at
 * the device that sent it; the signals of one session of a device keep their order, and two receivers
 * have those of a conversation in one order (rule B8). Nobody hears one that is sent after he was shown
 * that he was taken out of the conversation; nothing of it is stored. That one is lost is allowed.
 */
export function signals(history: History): Violation[] {
  const findings = new Findings('P19')
  const { features } = history
  const sent = new Map(features.sent.map((one) => [`${one.device} ${one.body}`, one]))
  const heard = new Map<string, { seen: Set<string>; last: Map<string, number> }>()
  const orders = new Map<string, string[]>()
  for (const one of features.heard) {
    const what = () =>
      `${one.device} hears "${one.body}" of ${one.fromDevice} from ${one.node} at ${history.when(one.moment)}`
    const source = sent.get(`${one.fromDevice} ${one.body}`)
    if (source === undefined || source.invoked > one.moment || !isSame(one, source)) {
      findings.add(`${what()}, and it was not sent so by then`)
      continue
    }
    findings.demand(source.refused === null, () => `${what()}, which was refused`)
    findings.demand(one.device !== one.fromDevice, () => `${what()}: its own`)
    const session = `${one.device} ${one.session}`
    let known = heard.get(session)
    if (known === undefined) heard.set(session, (known = { seen: new Set(), last: new Map() }))
    findings.demand(!known.seen.has(one.body), () => `${what()} twice`)
    known.seen.add(one.body)
    const stream = `${source.device} ${source.session} ${one.conv}`
    const last = known.last.get(stream) ?? 0
    findings.demand(last <= source.n, () => `${what()} after its signal ${last}`)
    known.last.set(stream, source.n)
    const order = orders.get(`${one.conv} ${session}`)
    if (order === undefined) orders.set(`${one.conv} ${session}`, [one.body])
    else order.push(one.body)
  }
  judgeOneOrder(findings, orders)
  judgeMembers(history, findings, sent)
  judgeNothingStored(findings, features)
  return findings.violations
}

const isSame = (heard: SignalHeard, sent: SignalSent): boolean =>
  heard.from === sent.user && heard.conv === sent.conv

/** Of two receivers neither has two signals of a conversation the other way round. */
function judgeOneOrder(findings: Findings, orders: ReadonlyMap<string, readonly string[]>): void {
  const byConversation = new Map<string, (readonly string[])[]>()
  for (const [key, order] of orders) {
    const conv = key.slice(0, key.indexOf(' '))
    byConversation.set(conv, [...(byConversation.get(conv) ?? []), order])
  }
  for (const [conv, all] of byConversation) {
    for (const [at, one] of all.entries()) {
      const place = new Map(one.map((body, i) => [body, i]))
      for (const other of all.slice(at + 1)) {
        let last = -1
        for (const body of other) {
          const here = place.get(body) ?? last
          findings.demand(here >= last, () => `"${body}" of ${conv} came later to another receiver`)
          last = Math.max(last, here)
        }
      }
    }
  }
}

/** Whoever was shown in a session that he is out hears nothing there that is sent later, unless he returns. */
function judgeMembers(
  history: History,
  findings: Findings,
  sent: ReadonlyMap<string, SignalSent>,
): void {
  const { features } = history
  const returns = features.writes.filter(({ kind, refused }) => kind === 'add' && refused === null)
  for (const { device, user, conv, event, session, shown } of features.pushes) {
    if (!takesOut(event, user)) continue
    const heard = features.heard.find((one) => {
      if (one.device !== device || one.session !== session || one.conv !== conv) return false
      const source = sent.get(`${one.fromDevice} ${one.body}`)
      if (source === undefined || source.invoked < shown) return false
      // The return may have been told by a bare notify.
      return !returns.some(
        (add) =>
          add.conv === conv &&
          add.who === user &&
          add.invoked < one.moment &&
          (add.seq ?? Infinity) > event.seq,
      )
    })
    if (heard === undefined) continue
    findings.add(
      `${device} hears "${heard.body}" of ${conv} at ${history.when(heard.moment)}, taken out at ${history.when(shown)}`,
    )
  }
}

function takesOut({ kind, body }: FeatureEvent, user: string): boolean {
  if (kind !== 'member' || body === null) return false
  const did = JSON.parse(body) as { op?: string; user?: string }
  return did.op === 'remove' && did.user === user
}

function judgeNothingStored(findings: Findings, { pages, pushes, feed }: Features): void {
  const all = [
    ...pages.flatMap(({ events }) => events),
    ...pushes.map(({ event }) => event),
    ...feed.flatMap(({ events }) => events),
  ]
  for (const { kind, seq, body } of all) {
    findings.demand(KINDS.has(kind), () => `#${seq} is of the kind ${kind}`)
    const isSignal = kind === 'message' && body !== null && / signals \d+$/.test(body)
    findings.demand(!isSignal, () => `a signal is stored as #${seq}: "${body}"`)
  }
}
