/** An append of a value that nothing else appends, to one log. */
export interface LogAppend {
  readonly kind: 'append'
  readonly value: string
  /** Its place, from 1: as answered or as later seen; `null` if nobody ever learned it. */
  readonly seq: number | null
  readonly invoked: number
  /** `Infinity` if no answer came: it may take effect at any time after `invoked`, or never. */
  readonly returned: number
}

/** A look at one log. */
export interface LogRead {
  readonly kind: 'read'
  readonly length: number
  /** Whether the log was just so long at some moment of the call, or was at least so long after it. */
  readonly exact: boolean
  readonly invoked: number
  readonly returned: number
}

export type LogOperation = LogAppend | LogRead

export interface Anomaly<T extends LogOperation> {
  readonly why: 'one place, two values' | 'real time' | 'nothing can stand there'
  /** The operations that contradict each other, as few as possible. */
  readonly operations: readonly T[]
  readonly seq: number
}

/**
 * Whether a history of one append-only log is linearizable, in O(n log n), and why not.
 *
 * No search is needed, and none is missing. An append's answer is the length of the log that it made,
 * so in *every* linearization the appends stand in the order of their seqs, and a read of length m
 * stands behind append m and before append m + 1. Give append k the position 2k and a read of m the
 * position 2m + 1: whatever order is chosen, positions never fall. Real time asks that an operation
 * that ended before another began comes first. If no pair breaks that (the earlier one with the
 * higher position), ordering by position, and within a read's position by invocation, is a
 * linearization; if one does, there is none. The pairs are checked by one sweep over time that
 * remembers the highest position of all that has ended.
 *
 * A look that shows at least m binds what begins after it, and nothing binds it: whoever was asked
 * may be behind.
 *
 * Two things are left. Two appends with one seq contradict each other at once. And a seq that nobody
 * can name must belong to an append without a known seq: hole k can take one that was invoked before
 * anything with a position above 2k had ended. That deadline never falls with k, and such an append
 * has no end of its own, so giving the earliest invoked to the lowest hole finds a way if there is one.
 */
export function anomalyOf<T extends LogOperation>(operations: readonly T[]): Anomaly<T> | null {
  return twoValues(operations) ?? outOfRealTime(operations) ?? unfilledHole(operations)
}

const positionOf = (operation: LogOperation): number =>
  operation.kind === 'read' ? 2 * operation.length + 1 : 2 * operation.seq!

const isPlaced = (operation: LogOperation): boolean =>
  operation.kind === 'read' || operation.seq !== null

function twoValues<T extends LogOperation>(operations: readonly T[]): Anomaly<T> | null {
  const bySeq = new Map<number, T>()
  for (const operation of operations) {
    if (operation.kind !== 'append' || operation.seq === null) continue
    const other = bySeq.get(operation.seq)
    if (other !== undefined) {
      return {
        why: 'one place, two values',
        operations: [other, operation],
        seq: operation.seq,
      }
    }
    bySeq.set(operation.seq, operation)
  }
  return null
}

function outOfRealTime<T extends LogOperation>(operations: readonly T[]): Anomaly<T> | null {
  const placed = operations.filter(isPlaced)
  const ended = placed.toSorted((a, b) => a.returned - b.returned)
  const begun = placed.toSorted((a, b) => a.invoked - b.invoked)
  let taken = 0
  let highest: T | null = null
  for (const operation of begun) {
    while (taken < ended.length && ended[taken]!.returned < operation.invoked) {
      const one = ended[taken++]!
      if (highest === null || positionOf(one) > positionOf(highest)) highest = one
    }
    if (highest === null || (operation.kind === 'read' && !operation.exact)) continue
    if (positionOf(highest) <= positionOf(operation)) continue
    const seq = highest.kind === 'read' ? highest.length : highest.seq!
    return { why: 'real time', operations: [highest, operation], seq }
  }
  return null
}

function unfilledHole<T extends LogOperation>(operations: readonly T[]): Anomaly<T> | null {
  const placed = operations.filter(isPlaced).toSorted((a, b) => positionOf(b) - positionOf(a))
  const [last] = placed
  if (last === undefined) return null
  const named = new Set(placed.map((one) => (one.kind === 'append' ? one.seq : null)))
  const length = last.kind === 'append' ? last.seq! : last.length
  // From the highest down: what ended first of all that stand above.
  const holes: { seq: number; first: T }[] = []
  let above = 0
  let first: T = last
  for (let seq = length; seq >= 1; seq--) {
    while (above < placed.length && positionOf(placed[above]!) > 2 * seq) {
      const one = placed[above++]!
      if (one.returned < first.returned) first = one
    }
    if (!named.has(seq)) holes.push({ seq, first })
  }
  const unplaced = operations
    .filter((one) => !isPlaced(one))
    .toSorted((a, b) => a.invoked - b.invoked)
  for (const [at, { seq, first: witness }] of holes.toReversed().entries()) {
    const filler = unplaced[at]
    if (filler !== undefined && filler.invoked <= witness.returned) continue
    return { why: 'nothing can stand there', operations: [witness], seq }
  }
  return null
}
