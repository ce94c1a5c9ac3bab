import type { FeatureEvent, Features, FeatureWrite } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Moment, Violation } from '../history/history.ts'
import { KnownHeads } from './known-heads.ts'

/** What became of one message, in the order of the log. */
interface Changed {
  readonly edits: { readonly seq: number; readonly msgId: string }[]
  /** The seq of the first recall, `Infinity` without one. */
  recalledAt: number
}

/**
 * P17: what changes a message takes effect by its place in the log, for everybody. A page shows each
 * message as its author last left it: not older than the page itself, than what its device knew, and,
 * if it is linearizable, than what anybody was told before (rule B1). What was recalled has no content
 * and is changed no more; nobody changes what another said, and a block holds while it stands (A5).
 */
export function changes(history: History): Violation[] {
  const findings = new Findings('P17')
  const { features } = history
  const byKey = new Map(features.writes.map((write) => [keyOf(write.user, write.msgId), write]))
  const changed = changesOf(features)
  const heads = new KnownHeads(features)
  for (const page of features.pages) {
    const mustShow = Math.max(heads.of(page), page.upTo)
    for (const event of page.events) {
      const where = () =>
        `${page.conv}#${event.seq} on ${page.node} at ${history.when(page.answered)}`
      judgeContent(findings, event, { byKey, changed, conv: page.conv, mustShow, where })
    }
  }
  judgeAccepted(findings, features, changed)
  judgeBlocks(findings, features)
  return findings.violations
}

const keyOf = (user: string, msgId: string): string => `${user} ${msgId}`
const placeOf = (conv: string, seq: number): string => `${conv}#${seq}`

/** Of all that was acknowledged or shown to anybody. */
function changesOf({ writes, pages, pushes }: Features): Map<string, Changed> {
  const changed = new Map<string, Changed>()
  const seen = new Set<string>()
  const add = (conv: string, kind: string, seq: number, target: number | null, msgId: string) => {
    if ((kind !== 'edit' && kind !== 'recall') || target === null) return
    const place = placeOf(conv, seq)
    if (seen.has(place)) return
    seen.add(place)
    const of = placeOf(conv, target)
    let one = changed.get(of)
    if (one === undefined) changed.set(of, (one = { edits: [], recalledAt: Infinity }))
    if (kind === 'edit') one.edits.push({ seq, msgId })
    else one.recalledAt = Math.min(one.recalledAt, seq)
  }
  for (const { conv, kind, seq, target, msgId } of writes) {
    if (seq !== null) add(conv, kind, seq, target, msgId)
  }
  const shown = (conv: string, { kind, seq, target, msgId }: FeatureEvent) =>
    add(conv, kind, seq, target, msgId)
  for (const { conv, events } of pages) for (const event of events) shown(conv, event)
  for (const { conv, event } of pushes) shown(conv, event)
  for (const { edits } of changed.values()) edits.sort((a, b) => a.seq - b.seq)
  return changed
}

interface Shown {
  readonly byKey: ReadonlyMap<string, FeatureWrite>
  readonly changed: ReadonlyMap<string, Changed>
  readonly conv: string
  /** Changes up to this seq are in it. */
  readonly mustShow: number
  readonly where: () => string
}

function judgeContent(findings: Findings, event: FeatureEvent, shown: Shown): void {
  const { kind, seq, from, msgId, body, edited, recalled, expired, target } = event
  const { byKey, changed, conv, mustShow, where } = shown
  if (kind !== 'message' && kind !== 'edit') return
  const of = changed.get(placeOf(conv, target ?? seq)) ?? { edits: [], recalledAt: Infinity }
  const write = byKey.get(keyOf(from, msgId))
  if (write === undefined) return findings.add(`${where()}: nobody wrote ${msgId}`)
  if (recalled || expired) {
    findings.demand(body === null, () => `${where()} is gone and says "${body}"`)
    const isRecalled = of.recalledAt <= Infinity && of.recalledAt !== Infinity
    findings.demand(!recalled || isRecalled, () => `${where()} is recalled, and nobody did`)
  }
  if (of.recalledAt <= mustShow) {
    findings.demand(recalled, () => `${where()} is shown, recalled at #${of.recalledAt}: "${body}"`)
  }
  if (recalled || expired) return
  const due = of.edits.findLast((edit) => edit.seq <= mustShow)
  const last = of.edits.find((edit) => edit.seq === edited)
  if (kind === 'edit') {
    findings.demand(body === write.body, () => `${where()} says "${body}", not "${write.body}"`)
    return
  }
  findings.demand(
    (edited ?? 0) >= (due?.seq ?? 0),
    () => `${where()} is as edited by #${edited}, not by #${due!.seq}`,
  )
  const says = edited === null ? write : last && byKey.get(keyOf(from, last.msgId))
  // The edit itself may be shown to nobody else, and its answer lost.
  if (says === undefined) {
    const isOwn = [...byKey.values()].some((one) => one.kind === 'edit' && one.body === body)
    return findings.demand(isOwn, () => `${where()} says "${body}", which nobody wrote`)
  }
  findings.demand(body === says.body, () => `${where()} says "${body}", not "${says.body}"`)
}

/** Accepted, but only where its user may, and while there was something to change. */
function judgeAccepted(
  findings: Findings,
  { writes, owner }: Features,
  changed: ReadonlyMap<string, Changed>,
): void {
  const authors = new Map<string, string>()
  for (const { kind, conv, seq, user } of writes) {
    if (kind === 'message' && seq !== null) authors.set(placeOf(conv, seq), user)
  }
  for (const { kind, conv, seq, user, target, msgId } of writes) {
    if (seq === null || target === null) continue
    const place = placeOf(conv, target)
    const author = authors.get(place)
    const what = () => `${kind} ${msgId} of ${user} was accepted as ${placeOf(conv, seq)}`
    const isHis = kind === 'reaction' || user === author || (kind === 'recall' && user === owner)
    findings.demand(
      author === undefined || isHis,
      () => `${what()}, and ${place} is what ${author} said`,
    )
    const { recalledAt } = changed.get(place) ?? { recalledAt: Infinity }
    findings.demand(
      recalledAt >= seq,
      () => `${what()}, after ${place} was recalled at #${recalledAt}`,
    )
  }
}

const BLOCKED = 'USER_BLOCKED'

/** What is written while a block surely stands is refused; what never met one is not refused for it. */
function judgeBlocks(findings: Findings, { writes }: Features): void {
  const blocks = writes.filter(({ kind }) => kind === 'block' || kind === 'unblock')
  for (const write of writes) {
    if (!['message', 'edit', 'reaction'].includes(write.kind)) continue
    const ofOther = blocks.filter(({ conv, who }) => conv === write.conv && who === write.user)
    const { msgId, user, conv } = write
    if (write.refused === BLOCKED) {
      const mayBe = ofOther.some(
        ({ kind, invoked }) => kind === 'block' && invoked < write.answered,
      )
      findings.demand(mayBe, () => `${msgId} of ${user} in ${conv} is ${BLOCKED}, and nobody did`)
    } else if (write.seq !== null && isBlockedDuring(ofOther, write)) {
      findings.add(`${msgId} of ${user} was accepted in ${conv}, while the other side blocked him`)
    }
  }
}

function isBlockedDuring(
  blocks: readonly FeatureWrite[],
  { invoked, answered }: { invoked: Moment; answered: Moment },
): boolean {
  const before = blocks.filter((one) => one.kind === 'block' && one.seq !== null)
  return before.some(
    (block) =>
      block.answered < invoked &&
      // Nothing that may have ended it: neither after it nor at the same time.
      blocks.every(
        (one) => one.kind === 'block' || one.answered < block.invoked || one.invoked > answered,
      ),
  )
}
