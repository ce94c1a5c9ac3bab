import type { FeaturePage, Features, SyncPage } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/** Newest events of a conversation among which nodes tell a user's own from what he has not read. */
const OWN_AMONG = 1_000

/**
 * P22: a sync gives all that came into the inbox after its position, in order, or says what is missing
 * (rules B3, B4); a number is of one event, for every device, node and way of being told. In the end
 * each node names to a user every conversation with its newest seq, counts as unread what he has not read
 * and did not say himself, and tells how far the others have read.
 */
export function sync(history: History): Violation[] {
  const findings = new Findings('P22')
  const { features } = history
  const places = new Map<string, string>()
  const place = (user: string, inbox: number | null, at: string, by: () => string) => {
    if (inbox === null) return
    const key = `${user} ${inbox}`
    const known = places.get(key)
    places.set(key, known ?? at)
    const isSame = known === undefined || known === at
    findings.demand(isSame, () => `${by()}: number ${inbox} of ${user} is ${at}, and was ${known}`)
  }
  for (const page of features.syncs) {
    const { device, node, answered, user, events } = page
    const where = () =>
      `a sync of ${device} after ${page.after} from ${node} at ${history.when(answered)}`
    judgePage(findings, page, where)
    for (const { inbox, conv, seq } of events) place(user, inbox, `${conv}#${seq}`, where)
  }
  for (const { user, device, conv, event, node } of features.pushes) {
    // A notify stands for all up to its number.
    if (event.kind === '') continue
    place(user, event.inbox, `${conv}#${event.seq}`, () => `a push to ${device} from ${node}`)
  }
  judgeEnd(findings, features)
  return findings.violations
}

function judgePage(findings: Findings, page: SyncPage, where: () => string): void {
  const { after, next, upTo, hasMore, gap, events } = page
  let last = after
  let missing: number | null = null
  for (const { inbox } of events) {
    findings.demand(
      inbox !== null && inbox > last,
      () => `${where()} has number ${inbox} after ${last}`,
    )
    if (inbox !== last + 1) missing ??= last + 1
    last = inbox ?? last
  }
  if (next > last) missing ??= last + 1
  findings.demand(
    missing === null || gap?.from === missing,
    () => `${where()} lacks number ${missing}, and its gap begins with ${gap?.from ?? 'nothing'}`,
  )
  findings.demand(
    next >= last && hasMore === next < upTo,
    () => `${where()} ends at ${next} of ${upTo} and says hasMore ${hasMore}`,
  )
}

function judgeEnd(findings: Findings, features: Features): void {
  const { pages, syncs, receipts, writes, owner } = features
  const settled = (conv: string) =>
    writes.every(({ kind, conv: of }) => of !== conv || (kind !== 'set' && kind !== 'remove'))
  const lasts = new Map<string, FeaturePage[]>()
  for (const page of pages) {
    const key = `${page.node} ${page.conv}`
    if (page.final) lasts.set(key, [...(lasts.get(key) ?? []), page])
  }
  const read = new Map<string, number>()
  for (const { final, by, node, conv, member, kind, upTo } of receipts) {
    if (final && by === 'answer' && kind === 'read') read.set(`${node} ${conv} ${member}`, upTo)
  }
  for (const { final, after, node, user, conversations } of syncs) {
    if (!final || after !== 0) continue
    for (const [key, held] of lasts) {
      const [of, conv] = key.split(' ') as [string, string]
      if (of !== node || !settled(conv)) continue
      const told = conversations.find((one) => one.conv === conv)
      const events = held.flatMap((page) => page.events)
      const head = held.at(-1)!.upTo
      if (told === undefined && (user === owner || head === 0)) {
        findings.demand(head === 0, () => `${node} does not name ${conv} to ${user}`)
        continue
      }
      if (told === undefined) continue
      findings.demand(
        told.head === head,
        () => `${node} tells ${user} that ${conv} ends at #${told.head}, not #${head}`,
      )
      const from = read.get(`${node} ${conv} ${user}`) ?? 0
      // What he said himself before that is not told apart any more.
      const own = Math.max(from, head - OWN_AMONG)
      const isUnread = ({ kind, seq, from: sender }: (typeof events)[number]) =>
        kind === 'message' && seq > from && (sender !== user || seq <= own)
      const unread = events.filter(isUnread).length
      const seqs = new Set(events.map(({ seq }) => seq))
      findings.demand(
        told.unread === unread || seqs.size !== events.length,
        () => `${node} tells ${user} of ${told.unread} unread in ${conv}, not ${unread}`,
      )
    }
  }
  judgeStatuses(findings, features, read)
}

/** Whoever syncs anew is told how far each of the others has read. */
function judgeStatuses(
  findings: Findings,
  { receipts, owner }: Features,
  read: ReadonlyMap<string, number>,
): void {
  const told = new Map<string, number>()
  for (const { final, by, node, conv, member, kind, upTo, user } of receipts) {
    if (!final || by !== 'status' || kind !== 'read' || user !== owner) continue
    told.set(`${node} ${conv} ${member}`, upTo)
  }
  if (told.size === 0) return
  for (const [key, upTo] of read) {
    const [node, conv, member] = key.split(' ')
    if (upTo === 0 || member === owner) continue
    const isTold = told.get(key) === upTo
    const why = () =>
      `${node} tells ${owner} that ${member} has read ${conv}#${told.get(key)}, not #${upTo}`
    findings.demand(isTold, why)
  }
}
