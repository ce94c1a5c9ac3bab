import { expect, it } from 'vitest'
import { NO_ONE } from '../raft/types.ts'
import type { LogStorage } from './log-storage.ts'
import {
  ALICE,
  BOB,
  FORMATION,
  append,
  configuration,
  configurationEntry,
  contentOf,
  entries,
  entry,
} from './testing/log-samples.ts'

/** What every log promises. `open` gives an empty one that the caller cleans up. */
export function logStorageContract(open: () => Promise<LogStorage>): void {
  const formed = async (): Promise<LogStorage> => {
    const log = await open()
    await log.form(FORMATION)
    return log
  }

  it('[LG1] is empty, unformed and has an id at first', async () => {
    const log = await open()
    expect(log.raftId).toMatch(/^[0-9a-f]{16}$/)
    expect(log.formation).toBeNull()
    expect(log.hardState).toEqual({ term: 0, vote: NO_ONE, commit: 0 })
    expect([log.firstIndex(), log.lastIndex(), log.term(0), log.term(1)]).toEqual([1, 0, 0, null])
    expect(log.snapshot.index).toBe(0)
    expect(log.entries(1, 1, 100)).toEqual([])
  })

  it('[LG1] is formed once, before anything else', async () => {
    const log = await open()
    expect(() =>
      log.append({ hardState: null, entries: [entry(1, 1)], snapshot: null }, () => {}),
    ).toThrow('before the formation')
    await log.form(FORMATION)
    expect(log.formation).toEqual(FORMATION)
    expect(log.snapshot).toEqual({ index: 0, term: 0, configuration: FORMATION.configuration })
    expect(log.configurationAt(0)).toEqual(FORMATION.configuration)
    await expect(log.form(FORMATION)).rejects.toThrow('formation already')
  })

  it('[LG2] shows an append from the moment of the call', async () => {
    const log = await formed()
    const hardState = { term: 3, vote: BOB, commit: 1 }
    const done = append(log, { hardState, entries: [entry(1, 2), entry(2, 3)] })
    expect(log.lastIndex()).toBe(2)
    expect([log.term(0), log.term(1), log.term(2), log.term(3)]).toEqual([0, 2, 3, null])
    expect(log.hardState).toEqual(hardState)
    expect(log.entries(1, 3, Infinity)).toEqual([entry(1, 2), entry(2, 3)])
    await done
    expect(log.entries(2, 3, Infinity)).toEqual([entry(2, 3)])
  })

  it('[LG3] replaces an entry and everything after it', async () => {
    const log = await formed()
    await append(log, { entries: entries(1, 10, 1) })
    await append(log, { entries: entries(11, 20, 2) })
    await append(log, {
      hardState: { term: 3, vote: NO_ONE, commit: 7 },
      entries: entries(8, 9, 3),
    })
    expect(log.lastIndex()).toBe(9)
    expect([log.term(7), log.term(8), log.term(9), log.term(10)]).toEqual([1, 3, 3, null])
    expect(log.entries(1, 10, Infinity)).toEqual([...entries(1, 7, 1), ...entries(8, 9, 3)])
    await append(log, { entries: entries(10, 12, 3) })
    expect(log.entries(8, 13, Infinity)).toEqual(entries(8, 12, 3))
  })

  it('[LG3] never replaces a committed entry, leaves a hole or lets a term fall', async () => {
    const log = await formed()
    await append(log, {
      hardState: { term: 2, vote: NO_ONE, commit: 3 },
      entries: entries(1, 5, 2),
    })
    const refused = (message: string, request: Parameters<typeof append>[1]): void => {
      const whole = { hardState: null, entries: [], snapshot: null, ...request }
      expect(() => log.append(whole, () => {})).toThrow(message)
    }
    refused('would replace a committed one', { entries: entries(3, 4, 3) })
    refused('leaves a hole', { entries: entries(7, 8, 3) })
    refused('after term 2', { entries: entries(6, 6, 1) })
    refused('commit falls', { hardState: { term: 2, vote: NO_ONE, commit: 2 } })
    refused('term falls', { hardState: { term: 1, vote: NO_ONE, commit: 3 } })
    refused('past the last index', { hardState: { term: 2, vote: NO_ONE, commit: 9 } })
  })

  it('[LG4] keeps one vote per term', async () => {
    const log = await formed()
    await append(log, { hardState: { term: 2, vote: NO_ONE, commit: 0 } })
    await append(log, { hardState: { term: 2, vote: ALICE, commit: 0 } })
    expect(() =>
      log.append(
        { hardState: { term: 2, vote: BOB, commit: 0 }, entries: [], snapshot: null },
        () => {},
      ),
    ).toThrow('a second vote')
    await append(log, { hardState: { term: 3, vote: BOB, commit: 0 } })
    expect(log.hardState).toEqual({ term: 3, vote: BOB, commit: 0 })
  })

  it('[LG5] cuts a read by bytes, never to nothing', async () => {
    const log = await formed()
    await append(log, { entries: entries(1, 10, 1, 100) })
    const read = (maxBytes: number): number => log.entries(4, 11, maxBytes)!.length
    expect([0, 99, 199, 200, 300, 10_000].map(read)).toEqual([1, 1, 1, 2, 3, 7])
    expect(log.entries(4, 6, Infinity)).toEqual(entries(4, 5, 1, 100))
    expect(log.entries(11, 11, 100)).toEqual([])
  })

  it('[LG6] knows the configuration at every index, also after a replaced change', async () => {
    const log = await formed()
    const one = FORMATION.configuration
    const two = configuration(ALICE, BOB)
    await append(log, { entries: [entry(1, 1), configurationEntry(2, 1, ALICE, BOB), entry(3, 1)] })
    expect([0, 1, 2, 3].map((index) => log.configurationAt(index))).toEqual([one, one, two, two])
    await append(log, { entries: [entry(2, 2), entry(3, 2)] })
    expect(log.configurationAt(3)).toEqual(one)
    await append(log, { entries: [configurationEntry(4, 2, BOB)] })
    expect(log.configurationAt(4)).toEqual(configuration(BOB))
  })

  it('[LG7] starts anew after an installed snapshot', async () => {
    const log = await formed()
    await append(log, { hardState: { term: 1, vote: ALICE, commit: 2 }, entries: entries(1, 5, 1) })
    const snapshot = { index: 50, term: 4, configuration: configuration(ALICE, BOB) }
    const hardState = { term: 5, vote: NO_ONE, commit: 50 }
    await append(log, { snapshot, hardState })
    expect(log.snapshot).toEqual(snapshot)
    expect([log.firstIndex(), log.lastIndex()]).toEqual([51, 50])
    expect([log.term(49), log.term(50), log.term(51)]).toEqual([null, 4, null])
    expect(log.configurationAt(50)).toEqual(snapshot.configuration)
    expect(log.entries(50, 51, 100)).toBeNull()
    await append(log, { entries: entries(51, 53, 5) })
    expect(log.entries(51, 54, Infinity)).toEqual(entries(51, 53, 5))
    await append(log, {
      snapshot: { ...snapshot, index: 52, term: 5 },
      entries: entries(53, 54, 6),
    })
    expect(log.entries(53, 55, Infinity)).toEqual(entries(53, 54, 6))
    expect(log.hardState.commit).toBe(52)
  })

  it('[LG8] compacts what it may and nothing else', async () => {
    const log = await formed()
    const hardState = { term: 2, vote: BOB, commit: 0 }
    await append(log, { hardState, entries: [configurationEntry(1, 1, ALICE, BOB)] })
    for (let at = 2; at < 400; at += 10) await append(log, { entries: entries(at, at + 9, 2, 300) })
    await append(log, { hardState: { ...hardState, commit: 400 } })
    const before = contentOf(log, 301)
    const meta = { index: 300, term: 2, configuration: configuration(ALICE, BOB) }
    await Promise.all([log.compact({ ...meta, index: 100 }), log.compact(meta)])
    expect(log.firstIndex()).toBeGreaterThan(100)
    expect(log.firstIndex()).toBeLessThanOrEqual(301)
    expect(log.term(log.firstIndex() - 1)).toBe(2)
    expect(log.configurationAt(log.firstIndex() - 1)).toEqual(configuration(ALICE, BOB))
    expect(log.snapshot.index).toBe(log.firstIndex() - 1)
    expect(log.entries(log.firstIndex() - 1, 400, 100)).toBeNull()
    expect(contentOf(log, 301)).toEqual(before)
    await append(log, { entries: entries(402, 402, 2) })
    expect(log.lastIndex()).toBe(402)
  })
}
