import { Findings } from '../history/findings.ts'
import type { History, Violation } from '../history/history.ts'

/** Somebody was shown `seq` of `conv` in a message that ended with the mark. */
interface Shown {
  readonly position: number
  readonly conv: string
  readonly seq: number
  readonly moment: number
  readonly device: string
  readonly node: string
}

/**
 * P12: a node that takes a mark shows at least what anybody was shown with that mark or an older one,
 * on whichever node (rule B2). So nothing that a device is shown ever goes back, and no mark either;
 * and whatever shows state carries a mark.
 */
export function monotonicReads(history: History): Violation[] {
  const findings = new Findings('P12')
  const read = markReader()
  const shown = shownWithMark(history, findings, read)
  judgeDevices(history, findings, shown)
  judgeReads(history, findings, shown, read)
  return findings.violations
}

interface MarkPosition {
  readonly epoch: string
  readonly position: number
}

/**
 * How far a mark goes, and its epoch. To clients it is opaque; that marks of one epoch are ordered by
 * the number after the dot is what this checker knows of the product, and all that it knows.
 */
function markReader(): (mark: string) => MarkPosition {
  const known = new Map<string, MarkPosition>()
  return (mark) => {
    let position = known.get(mark)
    if (position === undefined) {
      const at = mark.lastIndexOf('.')
      position = { epoch: mark.slice(0, at), position: Number.parseInt(mark.slice(at + 1), 36) }
      known.set(mark, position)
    }
    return position
  }
}

/** In the order shown: whatever is shown has a moment of its own. */
function shownWithMark(
  history: History,
  findings: Findings,
  read: (mark: string) => MarkPosition,
): Shown[] {
  const shown: (Shown | undefined)[] = Array.from({ length: history.moments })
  let epoch: string | null = null
  const add = (
    mark: string | null,
    what: { conv: string; seq: number; moment: number; device: string; node: string },
  ) => {
    const { conv, seq, moment, device, node } = what
    const position = mark === null ? null : read(mark)
    epoch ??= position?.epoch ?? null
    if (position?.epoch === epoch && Number.isSafeInteger(position?.position)) {
      shown[moment] = { position: position!.position, conv, seq, moment, device, node }
      return
    }
    const when = `${device} was shown ${conv}#${seq} by ${node} at ${history.when(moment)}`
    if (mark === null) findings.add(`${when} without a mark`)
    else findings.add(`${when} with the mark ${mark}, which is not of epoch ${epoch}`)
  }
  for (const { conv, device, node, mark, events, answered: moment } of history.reads) {
    add(mark, { conv, seq: events.at(-1)?.seq ?? 0, moment, device, node })
  }
  for (const { conv, device, node, mark, seq, shown: moment } of history.pushes) {
    add(mark, { conv, seq, moment, device, node })
  }
  for (const { conv, verdicts } of history.sends) {
    for (const { device, node, mark, seq, moment } of verdicts) {
      if (seq !== null) add(mark, { conv, seq, moment, device, node })
    }
  }
  return shown.filter((one) => one !== undefined)
}

/** Each device hands its newest mark over wherever it goes: no mark may be older than the last one. */
function judgeDevices(history: History, findings: Findings, shown: readonly Shown[]): void {
  const newest = new Map<string, Shown>()
  for (const one of shown) {
    const { device, position, node, moment } = one
    const before = newest.get(device)
    if (before !== undefined && before.position > position) {
      findings.add(
        `the mark of ${device} goes back from ${before.position} (${before.node}) to ${position} (${node}) at ${history.when(moment)}`,
      )
    }
    newest.set(device, one)
  }
}

/** A read must reach all that was shown, to anybody, with a mark up to the one it rests on. */
function judgeReads(
  history: History,
  findings: Findings,
  shown: readonly Shown[],
  positionOf: (mark: string) => MarkPosition,
): void {
  const rising = shown.toSorted((a, b) => a.position - b.position)
  const reads = history.reads
    .filter(({ rests }) => rests !== null)
    .map((read) => ({ read, position: positionOf(read.rests!).position }))
    .toSorted((a, b) => a.position - b.position)
  const due = new Map<string, Shown>()
  let taken = 0
  for (const { read, position } of reads) {
    while (taken < rising.length && rising[taken]!.position <= position) {
      const one = rising[taken++]!
      if ((due.get(one.conv)?.seq ?? 0) < one.seq) due.set(one.conv, one)
    }
    const must = due.get(read.conv)
    findings.demand(
      must === undefined || read.hasMore || read.upTo >= must.seq,
      () =>
        `${read.device} with mark ${position} reads ${read.conv} on ${read.node} at ${history.when(read.answered)} up to #${read.upTo}; ${must!.device} was shown #${must!.seq} with mark ${must!.position} by ${must!.node}`,
    )
  }
}
