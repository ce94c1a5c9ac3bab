import type { FeaturePage, Features, FeatureWrite, RetentionBounds } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Moment, Violation } from '../history/history.ts'

/**
 * P18: only what an operator's bounds allow goes, and every reader is told (rules A9, B7). Each seq that
 * a page covers is an event or stands in its gap; a gap of retention or an expired event needs a bound
 * that had been asked for by then, and leaves as many messages as the least bound keeps; what is gone for
 * one reader is gone for all who ask later, and nobody hears of a gap of membership who never left.
 */
export function retention(history: History): Violation[] {
  const findings = new Findings('P18')
  const { features } = history
  const said = bytesSaid(features)
  const leavers = new Set(
    features.writes.flatMap(({ kind, conv, who }) => (kind === 'remove' ? [`${conv} ${who}`] : [])),
  )
  for (const page of features.pages) {
    const where = () =>
      `a page of ${page.conv} after ${page.after} for ${page.device} from ${page.node} at ${history.when(page.answered)}`
    const hasLeft = leavers.has(`${page.conv} ${page.user}`)
    judgeCoverage(findings, page, hasLeft, where)
    if (!hasLeft) judgeGap(findings, page, features, where)
    judgeExpired(findings, page, features, said, where)
  }
  judgeComeBack(history, findings, leavers)
  return findings.violations
}

/** From where it was asked to where it says, without a silent hole. */
function judgeCoverage(
  findings: Findings,
  { after, upTo, hasMore, gap, events }: FeaturePage,
  hasLeft: boolean,
  where: () => string,
): void {
  let next = after + 1
  if (gap !== null) {
    findings.demand(
      gap.from === next && gap.to >= gap.from,
      () => `${where()} has the gap #${gap.from} to #${gap.to}`,
    )
    const isTrue = gap.reason === 'retention' || (gap.reason === 'membership' && hasLeft)
    findings.demand(isTrue, () => `${where()} has a gap of ${gap.reason}`)
    next = gap.to + 1
  }
  for (const { seq } of events) {
    if (seq !== next) {
      findings.add(`${where()}: #${seq} stands where #${next} belongs, and no gap tells of it`)
      return
    }
    next += 1
  }
  const isEmpty = events.length === 0 && gap === null
  const isWhole = isEmpty ? upTo <= after && !hasMore : upTo === next - 1
  findings.demand(isWhole, () => `${where()} covers up to #${next - 1} and says #${upTo}`)
}

/** Bounds that somebody had asked for by then, and was not refused. */
function boundsOf({ writes }: Features, conv: string, by: Moment): RetentionBounds[] {
  const asked = (write: FeatureWrite) =>
    write.kind === 'set' && write.conv === conv && write.refused === null && write.invoked < by
  return writes.filter(asked).flatMap(({ retention: bounds }) => bounds ?? [])
}

function judgeGap(
  findings: Findings,
  { conv, gap, events, hasMore, answered }: FeaturePage,
  features: Features,
  where: () => string,
): void {
  if (gap === null) return
  const bounds = boundsOf(features, conv, answered)
  const counts = bounds.flatMap(({ maxCount }) => maxCount ?? [])
  const hasAge = bounds.some(({ maxAgeMs }) => maxAgeMs !== undefined)
  findings.demand(
    counts.length > 0 || hasAge,
    () => `${where()} has a gap up to #${gap.to}, and no bound of number or age was asked for`,
  )
  // The page that ends with the newest event tells how many messages are kept.
  if (hasAge || counts.length === 0 || hasMore) return
  const [first, last] = [events[0], events.at(-1)]
  const kept = first === undefined ? 0 : last!.ord - first.ord + (first.kind === 'message' ? 1 : 0)
  const least = Math.min(...counts)
  findings.demand(
    kept >= least,
    () => `${where()} keeps ${kept} messages after #${gap.to}; the least bound is ${least}`,
  )
}

/** What each user said in a conversation, in bytes, by when he began to say it. */
function bytesSaid({ writes }: Features): Map<string, { invoked: Moment; bytes: number }[]> {
  const said = new Map<string, { invoked: Moment; bytes: number }[]>()
  for (const { conv, user, body, invoked, refused } of writes) {
    if (body === null || refused !== null) continue
    const key = `${conv} ${user}`
    const list = said.get(key)
    // As msgpack: up to three bytes before the text.
    const one = { invoked, bytes: body.length + 3 }
    if (list === undefined) said.set(key, [one])
    else list.push(one)
  }
  return said
}

function judgeExpired(
  findings: Findings,
  { conv, events, answered }: FeaturePage,
  features: Features,
  said: ReadonlyMap<string, readonly { invoked: Moment; bytes: number }[]>,
  where: () => string,
): void {
  const expired = events.filter((event) => event.expired)
  if (expired.length === 0) return
  const bounds = boundsOf(features, conv, answered)
  const most = Math.min(...bounds.flatMap(({ maxBytes }) => maxBytes ?? []))
  const cutsOff = bounds.some((one) => one.maxCount !== undefined || one.maxAgeMs !== undefined)
  for (const { seq, from, kind } of expired) {
    const isErased = features.erasures.some((one) => one.user === from && one.invoked < answered)
    // Edits go with the message that they are of, wherever that was.
    if (isErased || (kind === 'edit' && cutsOff)) continue
    let bytes = 0
    for (const one of said.get(`${conv} ${from}`) ?? []) {
      if (one.invoked < answered) bytes += one.bytes
    }
    findings.demand(
      bytes > most,
      () => `${where()}: #${seq} is expired; ${from} said ${bytes} bytes, ${most} are allowed`,
    )
  }
}

/** What is gone for one reader is gone for whoever asks afterwards for what anybody was told before. */
function judgeComeBack(history: History, findings: Findings, leavers: ReadonlySet<string>): void {
  const { pages } = history.features
  const gone = new Map<string, { firstSeq: number; expired: Set<number> }>()
  type Step = { moment: Moment; page: FeaturePage; isAsked: boolean }
  const steps: Step[] = pages.flatMap((page) => [
    { moment: page.asked, page, isAsked: true },
    { moment: page.answered, page, isAsked: false },
  ])
  const atAsking = new Map<FeaturePage, { firstSeq: number; expired: number }>()
  const order = new Map<string, number[]>()
  for (const { page, isAsked } of steps.sort((a, b) => a.moment - b.moment)) {
    const { conv, gap, events } = page
    let known = gone.get(conv)
    if (known === undefined) gone.set(conv, (known = { firstSeq: 1, expired: new Set() }))
    let expired = order.get(conv)
    if (expired === undefined) order.set(conv, (expired = []))
    if (isAsked) {
      atAsking.set(page, { firstSeq: known.firstSeq, expired: expired.length })
      continue
    }
    if (page.linearizable) judgePage(history, findings, page, atAsking.get(page)!, expired)
    // Of whoever was out for a while a gap joins what retention took and what he never saw.
    const isOfAll = !leavers.has(`${conv} ${page.user}`)
    if (isOfAll && gap?.reason === 'retention' && gap.from === 1) {
      known.firstSeq = Math.max(known.firstSeq, gap.to + 1)
    }
    for (const event of events) {
      if (!event.expired || known.expired.has(event.seq)) continue
      known.expired.add(event.seq)
      expired.push(event.seq)
    }
  }
}

function judgePage(
  history: History,
  findings: Findings,
  { conv, events, node, answered }: FeaturePage,
  before: { readonly firstSeq: number; readonly expired: number },
  expired: readonly number[],
): void {
  const gone = new Set(expired.slice(0, before.expired))
  for (const { seq, body } of events) {
    const where = () => `${conv}#${seq} on ${node} at ${history.when(answered)}`
    findings.demand(seq >= before.firstSeq, () => `${where()} was cut off before, and is back`)
    findings.demand(!gone.has(seq) || body === null, () => `${where()} was expired, and is back`)
  }
}
