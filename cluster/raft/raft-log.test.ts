import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RaftLog } from './raft-log.ts'
import { TestLog } from './testing/test-log.ts'
import { configurationOf } from './testing/test-replica.ts'
import { EntryType, NO_ONE, type Entry } from './types.ts'

function entry(index: number, term: number): Entry {
  return { index, term, type: EntryType.normal, data: Buffer.alloc(1 + (index % 3)) }
}

function logOf(terms: readonly number[], compacted = 0): { disk: TestLog; log: RaftLog } {
  const disk = new TestLog(configurationOf([1]))
  const entries = terms.map((term, at) => entry(at + 1, term))
  disk.write({ hardState: { term: 9, vote: NO_ONE, commit: compacted }, entries, snapshot: null })
  disk.compact(compacted)
  return { disk, log: new RaftLog(disk, compacted, compacted, 1000) }
}

/** The log as one list, durable or not: what the real one must look like from outside. */
class PlainLog {
  terms: number[]
  /** For each write under way or done: the entries, by identity, that it put on the disk. */
  durable: number
  writing: { upTo: number } | null = null

  constructor(terms: readonly number[]) {
    this.terms = [...terms]
    this.durable = terms.length
  }

  append(from: number, terms: readonly number[]): void {
    this.terms = [...this.terms.slice(0, from - 1), ...terms]
    this.durable = Math.min(this.durable, from - 1)
    if (this.writing !== null) this.writing.upTo = Math.min(this.writing.upTo, from - 1)
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ cut: fc.nat(4), add: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ begin: true as const }),
    fc.record({ end: fc.boolean() }),
  ),
  { maxLength: 60 },
)

describe('the log in memory', () => {
  test('[LR3] durable is what was written and not replaced since, through any interleaving', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { disk, log } = logOf([1, 1, 2])
        const plain = new PlainLog([1, 1, 2])
        let term = 2
        let writing: readonly Entry[] = []
        for (const step of all) {
          if ('cut' in step) {
            term++
            const from = Math.max(1, plain.terms.length + 1 - step.cut)
            const added = Array.from({ length: step.add }, (_, at) => entry(from + at, term))
            log.append(added)
            plain.append(
              from,
              added.map((one) => one.term),
            )
          } else if ('begin' in step) {
            if (log.writing || !log.hasUnwritten) continue
            writing = log.beginWrite().entries
            plain.writing = { upTo: plain.terms.length }
          } else if (plain.writing !== null) {
            disk.write({ hardState: null, entries: writing, snapshot: null })
            log.endWrite(step.end)
            if (step.end) plain.durable = Math.max(plain.durable, plain.writing.upTo)
            plain.writing = null
          }
          expect(log.lastIndex).toBe(plain.terms.length)
          expect(log.persisted).toBe(plain.durable)
          for (let index = 1; index <= plain.terms.length; index++) {
            expect(log.term(index)).toBe(plain.terms[index - 1])
          }
          const range = log.entries(1, log.lastIndex + 1, Infinity)!
          expect(range.map((one) => one.term)).toEqual(plain.terms)
          // Never claims what is not on the disk.
          for (let index = 1; index <= log.persisted; index++) {
            expect(disk.term(index)).toBe(plain.terms[index - 1])
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  test('[LR7] a range is cut after its bytes, over both parts, and is never empty', () => {
    fc.assert(
      fc.property(fc.nat(6), fc.nat(6), fc.nat(12), fc.nat(20), (stable, unstable, low, bytes) => {
        const { log } = logOf(Array.from({ length: stable }, () => 1))
        const added = Array.from({ length: unstable }, (_, at) => entry(stable + 1 + at, 2))
        log.append(added)
        const from = 1 + (low % (stable + unstable + 1))
        const got = log.entries(from, log.lastIndex + 1, bytes)!
        const wanted: number[] = []
        let sum = 0
        for (let index = from; index <= log.lastIndex; index++) {
          sum += 1 + (index % 3)
          if (wanted.length > 0 && sum > bytes) break
          wanted.push(index)
        }
        expect(got.map(({ index }) => index)).toEqual(wanted)
      }),
    )
  })

  test('[LR4] the last position of at most a term is found as by looking at each', () => {
    const rising = fc.array(fc.nat(3), { maxLength: 20 }).map((steps) => {
      let term = 1
      return steps.map((step) => (term += step > 1 ? step - 1 : 0))
    })
    fc.assert(
      fc.property(rising, fc.nat(25), fc.nat(12), fc.nat(20), (terms, index, term, cutAt) => {
        const compacted = Math.min(cutAt, terms.length)
        const { log } = logOf(terms, compacted)
        const found = log.lastAtMostTerm(index, term)
        let at = Math.min(index, terms.length)
        while (at >= compacted && (at === 0 ? 0 : terms[at - 1]!) > term) at--
        if (at >= compacted)
          expect(found).toEqual({ index: at, term: at === 0 ? 0 : terms[at - 1] })
        else {
          // Below the log's start nothing can be known: anywhere there will do.
          expect(found.term).toBe(0)
          expect(found.index).toBeLessThanOrEqual(Math.max(0, compacted - 1))
        }
      }),
    )
  })

  test('[LR1] a committed entry cannot be replaced, nor a hole be left', () => {
    const { log } = logOf([1, 1, 1], 2)
    expect(() => log.append([entry(2, 3)])).toThrow('committed')
    expect(() => log.append([entry(5, 3)])).toThrow('hole')
    expect(() => log.commitTo(4)).toThrow('past the log')
  })

  test('[SN2] a snapshot replaces the log at once, and counts once it is written', () => {
    const { disk, log } = logOf([1, 1])
    log.append([entry(3, 1)])
    const old = log.beginWrite()
    const snapshot = { index: 10, term: 4, configuration: configurationOf([1]) }
    log.restore(snapshot)
    expect([log.firstIndex, log.lastIndex, log.commit, log.persisted]).toEqual([11, 10, 10, 0])
    expect([log.term(10), log.term(9), log.term(3)]).toEqual([4, null, null])
    expect(log.entries(3, 5, 100)).toBeNull()

    // The write that was under way belongs to the log before.
    disk.write({ hardState: null, ...old })
    log.endWrite(true)
    expect(log.persisted).toBe(0)
    log.append([entry(11, 4)])
    const write = log.beginWrite()
    expect(write).toEqual({ entries: [], snapshot })
    disk.write({ hardState: null, ...write })
    log.endWrite(true)
    expect([log.persisted, log.applied]).toEqual([10, 10])
    const rest = log.beginWrite()
    expect(rest.entries.map(({ index }) => index)).toEqual([11])
    disk.write({ hardState: null, ...rest })
    log.endWrite(true)
    expect(log.persisted).toBe(11)
  })
})
