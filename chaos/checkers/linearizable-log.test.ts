import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anomalyOf, type LogAppend, type LogOperation, type LogRead } from './linearizable-log.ts'

/** Tries every order: exponential, and right by definition. */
function hasLinearization(operations: readonly LogOperation[]): boolean {
  const search = (
    left: readonly LogOperation[],
    log: readonly string[],
    floor: number,
  ): boolean => {
    const due = left.filter(({ returned }) => returned !== Infinity)
    if (due.length === 0 && floor <= log.length && left.every((one) => !mustHappen(one)))
      return true
    const bound = Math.min(...left.map(({ returned }) => returned))
    return left.some((one) => {
      // Nothing that is still to come may have ended before this began.
      if (bound < one.invoked) return false
      const rest = left.filter((other) => other !== one)
      if (one.kind === 'append') {
        const isRight = one.seq === null || one.seq === log.length + 1
        return isRight && search(rest, [...log, one.value], floor)
      }
      const isRight = one.exact ? log.length === one.length : log.length >= one.length
      return isRight && search(rest, log, floor)
    })
  }
  return search(operations, [], 0)
}

/** An append without an answer whose place somebody learned did take effect. */
const mustHappen = (one: LogOperation): boolean => one.kind === 'append' && one.seq !== null

const interval = fc
  .tuple(fc.nat(19), fc.nat(19))
  .map(([a, b]) => ({ invoked: Math.min(a, b), returned: Math.max(a, b) }))

const append = fc
  .record({
    at: interval,
    seq: fc.integer({ min: 1, max: 4 }),
    fate: fc.constantFrom('answered', 'answered', 'answered', 'seen', 'unknown'),
  })
  .map(({ at, seq, fate }): LogAppend => ({
    kind: 'append',
    value: '',
    seq: fate === 'unknown' ? null : seq,
    invoked: at.invoked,
    returned: fate === 'answered' ? at.returned : Infinity,
  }))

const read = fc
  .record({
    at: interval,
    length: fc.nat(4),
    exact: fc.boolean(),
  })
  .map(({ at, length, exact }): LogRead => look(length, exact, at.invoked, at.returned))

/** What was shown at least was there by the time it was shown, whenever it was asked for. */
function look(length: number, exact: boolean, begun: number, returned: number): LogRead {
  return { kind: 'read', length, exact, invoked: exact ? begun : returned, returned }
}

/** What a true log would have answered, with the intervals around it: nearly all are sound. */
const plausible = fc
  .array(
    fc.record({
      at: fc.integer({ min: 0, max: 30 }),
      before: fc.nat(8),
      after: fc.nat(8),
      kind: fc.constantFrom('append', 'append', 'read', 'look', 'unknown'),
      error: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1),
    }),
    { maxLength: 7 },
  )
  .map((steps) => {
    let length = 0
    return steps
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, before, after, kind, error }): LogOperation => {
        const [invoked, returned] = [at - before, at + after]
        if (kind === 'append') {
          length += 1
          const seq = Math.max(1, length + error)
          return { kind: 'append', value: '', seq, invoked, returned }
        }
        if (kind === 'unknown') {
          if (error === 0) length += 1
          return { kind: 'append', value: '', seq: null, invoked, returned: Infinity }
        }
        return look(Math.max(0, length + error), kind === 'read', invoked, returned)
      })
  })

const named = (operations: readonly LogOperation[]): LogOperation[] =>
  operations.map((one, at) => (one.kind === 'append' ? { ...one, value: `v${at}` } : one))

describe('the sweep and the search for a linearization', () => {
  test.each([
    ['any histories', fc.array(fc.oneof(append, append, read), { maxLength: 6 })],
    ['nearly sound ones', plausible],
  ])('[P6] agree on %s', (_, histories) => {
    const verdicts = { sound: 0, broken: 0 }
    fc.assert(
      fc.property(histories, (operations) => {
        const history = named(operations)
        const isSound = hasLinearization(history)
        verdicts[isSound ? 'sound' : 'broken'] += 1
        expect(anomalyOf(history) === null).toBe(isSound)
      }),
      { numRuns: 3_000, seed: 7 },
    )
    expect(Math.min(verdicts.sound, verdicts.broken)).toBeGreaterThan(300)
  })

  test('[P6] a hundred thousand operations are judged at once', () => {
    const operations: LogOperation[] = []
    for (let at = 1; at <= 50_000; at++) {
      const invoked = at * 10
      operations.push({ kind: 'append', value: `v${at}`, seq: at, invoked, returned: invoked + 25 })
      operations.push({ kind: 'read', length: at, exact: true, invoked, returned: invoked + 25 })
    }
    const before = process.cpuUsage()
    expect(anomalyOf(operations)).toBeNull()
    const { user, system } = process.cpuUsage(before)
    expect(user + system).toBeLessThan(2_000_000)
    operations.push({ kind: 'read', length: 1, exact: true, invoked: 9e6, returned: 9e6 })
    expect(anomalyOf(operations)?.why).toBe('real time')
  })
})
