import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BatchKind,
  decodeBatchRecord,
  encodeBatchRecord,
  type BatchRecord,
} from './batch-record.ts'
import { RecordHistory } from './record-history.ts'
import { StoreDamagedError } from './store.ts'
import type { Promised } from './store-seal.ts'

const mebibyte = 1024 * 1024

interface Written {
  readonly records: BatchRecord[]
  readonly promised: Promised
}

/** Writes batches as a store does and keeps what the database would still hold. */
function write(kinds: readonly BatchKind[], bytes = 100): Written {
  const history = RecordHistory.empty()
  let records: BatchRecord[] = []
  let promised: Promised = { number: 0, chain: 0 }
  kinds.forEach((kind, i) => {
    const record = history.draft(kind, { index: i + 1, term: 1 }, bytes)
    history.accept(record)
    records = [...records, record].filter(({ number }) => number >= record.kept)
    if (kind === BatchKind.cut) promised = { number: record.number, chain: record.chain }
  })
  return { records, promised }
}

const { ahead, cut, undo } = BatchKind
const usual = [ahead, ahead, cut, ahead, cut, cut, ahead, ahead, cut, ahead]

describe('BatchRecord', () => {
  it('[K3] survives its encoding', () => {
    for (const record of write(usual).records) {
      expect(decodeBatchRecord(encodeBatchRecord(record))).toEqual(record)
    }
  })

  it('[K3] refuses other lengths, versions and kinds', () => {
    const encoded = encodeBatchRecord(write([cut]).records[0]!)
    expect(decodeBatchRecord(encoded.subarray(1))).toBeNull()
    for (const at of [0, 1]) {
      const altered = encoded.slice()
      altered[at] = 9
      expect(decodeBatchRecord(altered)).toBeNull()
    }
  })
})

describe('RecordHistory', () => {
  it('[K3] accepts what was written and goes on with the next number', () => {
    const { records, promised } = write(usual)
    const history = RecordHistory.verify(records, promised)
    expect(history.nextNumber).toBe(11)
    expect(history.cut?.number).toBe(9)
    expect(history.previousCut?.number).toBe(6)
    expect(history.openAhead).toEqual([10])
  })

  it('[K3] a cut that was written but not yet promised is accepted', () => {
    const { records } = write([ahead, cut, ahead, cut])
    const before = write([ahead, cut]).promised
    expect(RecordHistory.verify(records, before).cut?.number).toBe(4)
    expect(RecordHistory.verify(records.slice(0, 2), { number: 0, chain: 0 }).cut?.number).toBe(2)
  })

  it('[K3] an undo ends the ahead batches before it', () => {
    const { records, promised } = write([cut, ahead, ahead, undo, ahead])
    expect(RecordHistory.verify(records, promised).openAhead).toEqual([5])
  })

  it('[K3] notices every missing record but those past the newest cut', () => {
    const { records, promised } = write(usual)
    records.forEach((lost, i) => {
      const rest = records.filter((record) => record !== lost)
      const open = (): RecordHistory => RecordHistory.verify(rest, promised)
      if (i === records.length - 1) expect(open().nextNumber).toBe(10)
      else expect(open).toThrow(StoreDamagedError)
    })
  })

  it('[K3] notices a lost end, down to an empty store', () => {
    const { records, promised } = write(usual)
    for (let kept = 0; kept < 9; kept++) {
      const open = (): RecordHistory => RecordHistory.verify(records.slice(0, kept), promised)
      expect(open).toThrow(StoreDamagedError)
    }
  })

  it('[K3] notices a lost beginning', () => {
    const { records, promised } = write(usual)
    for (let lost = 1; lost < records.length; lost++) {
      const open = (): RecordHistory => RecordHistory.verify(records.slice(lost), promised)
      expect(open).toThrow(StoreDamagedError)
    }
  })

  it('[K3] notices an altered field of any record', () => {
    const { records, promised } = write(usual)
    for (const field of ['index', 'term', 'bytes', 'kept', 'chain', 'kind'] as const) {
      records.forEach((record, i) => {
        if (i === records.length - 1) return // Past the newest cut: nothing depends on it.
        const other = field === 'kind' ? (record.kind === ahead ? undo : ahead) : record[field] + 1
        const altered = records.with(i, { ...record, [field]: other } as BatchRecord)
        expect(() => RecordHistory.verify(altered, promised)).toThrow(StoreDamagedError)
      })
    }
  })

  it('[K3] notices a seal that is gone', () => {
    const { records } = write(usual)
    expect(() => RecordHistory.verify(records, null)).toThrow('seal')
  })

  it('[K3] drops old records, never those from the cut before the last on', () => {
    const kinds = Array.from({ length: 400 }, (_, i) => (i % 20 === 19 ? cut : ahead))
    const { records, promised } = write(kinds, mebibyte)
    const history = RecordHistory.verify(records, promised)
    expect(history.firstNumber).toBeGreaterThan(300)
    expect(history.firstNumber).toBeLessThanOrEqual(380)
    // Small batches stay longer: a forgotten write buffer must take some of their records along.
    expect(write(kinds, 1000).records.length).toBe(400)
  })

  it('[K3] any history verifies, and with any record dropped from its promised part it does not', () => {
    const kinds = fc.array(fc.constantFrom<BatchKind>(ahead, ahead, cut, undo), { maxLength: 60 })
    fc.assert(
      fc.property(kinds, fc.nat(), fc.integer({ min: 1, max: 30 }), (list, at, size) => {
        const { records, promised } = write(list, size * mebibyte)
        const history = RecordHistory.verify(records, promised)
        expect(history.nextNumber).toBe(list.length + 1)
        const sealed = records.filter(({ number }) => number <= promised.number)
        const lost = sealed[at % Math.max(1, sealed.length)]
        if (lost === undefined) return
        const rest = records.filter((record) => record !== lost)
        expect(() => RecordHistory.verify(rest, promised)).toThrow(StoreDamagedError)
      }),
    )
  })
})
