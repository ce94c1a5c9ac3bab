import { describe, expect, it } from 'vitest'
import { logStorageContract } from './log-storage.contract.ts'
import { MemoryLog } from './memory-log.ts'
import { ALICE, FORMATION, entry } from './testing/log-samples.ts'

describe('MemoryLog', () => {
  logStorageContract(async () => new MemoryLog({ raftId: ALICE }))

  it('[LG2] completes an append when it is told to, one at a time', async () => {
    const waiting: (() => void)[] = []
    const log = new MemoryLog({ raftId: ALICE, schedule: (complete) => waiting.push(complete) })
    await log.form(FORMATION)
    const results: (Error | null)[] = []
    const request = { hardState: null, snapshot: null }
    log.append({ ...request, entries: [entry(1, 1)] }, (error) => results.push(error))
    expect(() => log.append({ ...request, entries: [entry(2, 1)] }, () => {})).toThrow('under way')
    expect(results).toEqual([])
    waiting.shift()!()
    expect(results).toEqual([null])
  })
})
