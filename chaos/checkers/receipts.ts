import type { AckRecord, Features, ReceiptTold } from '../history/features.ts'
import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

type Kind = AckRecord['kind']

/**
 * P10: a receipt is the recipient's (rule B5). Nobody is told of more than a device of the member had
 * claimed by then, nor of more than there was; what is told to one session never goes back, and
 * neither does what one device is told by answers; who has read has it delivered. What was acknowledged
 * to a device is on every node in the end, and the same on all of them.
 */
export function receipts(history: History): Violation[] {
  const findings = new Findings('P10')
  const { features } = history
  const claims = new Claims(features)
  const heads = headsOf(features)
  const last = new Map<string, ReceiptTold>()
  for (const told of features.receipts) {
    const { conv, member, kind, upTo, node, moment, device } = told
    if (kind !== 'delivered' && kind !== 'read') continue
    const what = () =>
      `${device} is told by ${node} at ${history.when(moment)} that ${member} has ${kind} ${conv}#${upTo}`
    const most = claims.most(told, kind)
    findings.demand(upTo <= most, () => `${what()}, who claimed #${most} by then`)
    findings.demand(
      upTo <= (heads.get(conv) ?? 0),
      () => `${what()}, which ends at #${heads.get(conv)}`,
    )
    const sameAs = told.by === 'notice' ? `in ${told.session}` : told.by
    const key = `${device} ${sameAs} ${conv} ${member} ${kind}`
    const before = last.get(key)
    if (before !== undefined && before.upTo > upTo && told.by !== 'status') {
      findings.add(`${what()}, after #${before.upTo} at ${history.when(before.moment)}`)
    }
    last.set(key, told)
  }
  judgeRead(history, findings)
  judgeEnd(history, findings, claims)
  return findings.violations
}

const nameOf = (conv: string, user: string, kind: Kind): string => `${conv} ${user} ${kind}`

/** What devices claimed: `read` covers `delivered`. */
class Claims {
  readonly #all = new Map<string, AckRecord[]>()

  constructor({ acks }: Features) {
    for (const ack of acks) {
      const kinds =
        ack.kind === 'read' ? (['read', 'delivered'] as const) : (['delivered'] as const)
      for (const kind of kinds) {
        const key = nameOf(ack.conv, ack.user, kind)
        const list = this.#all.get(key)
        if (list === undefined) this.#all.set(key, [ack])
        else list.push(ack)
      }
    }
  }

  /** The most that may be told at that moment. */
  most({ conv, member, moment }: ReceiptTold, kind: Kind): number {
    let most = 0
    for (const { upTo, invoked } of this.#all.get(nameOf(conv, member, kind)) ?? []) {
      if (invoked < moment) most = Math.max(most, upTo)
    }
    return most
  }

  /** What surely stands: acknowledged as recorded before it was asked for. */
  least({ conv, member, asked }: ReceiptTold, kind: Kind): number {
    let least = 0
    for (const { shown, answered } of this.#all.get(nameOf(conv, member, kind)) ?? []) {
      if (answered < asked) least = Math.max(least, shown)
    }
    return least
  }
}

/** The newest seq of each conversation that anybody was told of. */
function headsOf({ writes, pages, pushes, syncs }: Features): Map<string, number> {
  const heads = new Map<string, number>()
  const reach = (conv: string, seq: number) => {
    if ((heads.get(conv) ?? 0) < seq) heads.set(conv, seq)
  }
  for (const { conv, seq } of writes) reach(conv, seq ?? 0)
  for (const { conv, upTo } of pages) reach(conv, upTo)
  for (const { conv, event } of pushes) reach(conv, event.seq)
  for (const { conversations } of syncs)
    for (const { conv, head } of conversations) reach(conv, head)
  return heads
}

/** In one answer a member who has read has it delivered as well. */
function judgeRead(history: History, findings: Findings): void {
  const delivered = new Map<string, number>()
  for (const { by, conv, member, kind, upTo, moment, device } of history.features.receipts) {
    if (by !== 'answer') continue
    const key = `${moment} ${conv} ${member}`
    if (kind === 'delivered') delivered.set(key, upTo)
    else {
      findings.demand(
        upTo <= (delivered.get(key) ?? 0),
        () =>
          `${device} is told at ${history.when(moment)} that ${member} has read ${conv}#${upTo}, and got #${delivered.get(key)}`,
      )
    }
  }
}

/** Nothing that was acknowledged is forgotten, and all nodes say the same. */
function judgeEnd({ features }: History, findings: Findings, claims: Claims): void {
  const everybody = features.receipts.filter(({ final, by }) => final && by === 'answer')
  const first = new Map<string, ReceiptTold>()
  const left = leavers(features)
  for (const told of everybody) {
    const { conv, member, upTo, node } = told
    const kind = told.kind as Kind
    const key = nameOf(conv, member, kind)
    const other = first.get(key)
    first.set(key, other ?? told)
    findings.demand(
      other === undefined || other.upTo === upTo,
      () => `${member} has ${kind} ${conv}#${upTo} on ${node}, #${other!.upTo} on ${other!.node}`,
    )
    // Whoever was out for a while could not see all that he claimed.
    if (left.has(`${conv} ${member}`)) continue
    const least = claims.least(told, kind)
    findings.demand(
      upTo >= least,
      () => `${member} has ${kind} ${conv}#${upTo} on ${node}; #${least} was acknowledged to him`,
    )
  }
}

function leavers({ writes }: Features): Set<string> {
  const out = writes.filter(({ kind, refused }) => kind === 'remove' && refused === null)
  return new Set(out.map(({ conv, who }) => `${conv} ${who}`))
}
