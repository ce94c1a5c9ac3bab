import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { drawScenario } from '../simulation/scenario.ts'
import { writeRegression } from './regression-file.ts'
import { NO_TOTALS, type Totals } from './search-totals.ts'
import { addToTrackRecord, readTrackRecord, withTrackRecord } from './track-record.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-records-'))
})
afterEach(() => rm(directory, { recursive: true }))

const HOUR = 3_600_000
const searched: Totals = {
  ...NO_TOTALS,
  seeds: 400,
  simulatedMs: 4 * HOUR,
  countedMs: 2.5 * HOUR,
  operations: 70_000,
  evidence: { kill: 1_000, reset: 20 },
  failpoints: { beforeSync: 7 },
}

describe('the track record', () => {
  test('adds up per commit, and is shown on the page', async () => {
    const pinned = [{ seed: 7, safetyMs: 1_000, story: 'what it was' }]
    await writeFile(join(directory, 'track-record.json'), JSON.stringify({ pinned, searches: [] }))
    const page = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    await writeFile(join(directory, 'README.md'), page)
    await addToTrackRecord('abc', searched, directory)
    await addToTrackRecord('abc', searched, directory)
    await addToTrackRecord('def', searched, directory)
    const { searches, pinned: kept } = await readTrackRecord(directory)
    expect(kept).toEqual(pinned)
    expect(searches.map(({ commit, totals }) => [commit, totals.seeds])).toEqual([
      ['abc', 800],
      ['def', 400],
    ])
    const words = (await readFile(join(directory, 'README.md'), 'utf8')).replace(/ +/g, ' ')
    expect(words).toContain('| `abc` | 5.0 | 8.0 | 800 | 0 | 140,000 | 2,040 | 0 |')
    expect(words).toContain('| all | 7.5 | 12.0 | 1,200 | 0 | 210,000 | 3,060 | 0 |')
    expect(words).toContain('Faults that bit: kill 3,000, reset 60.')
    expect(words).toContain('| 7 | what it was |')
    // Again and again the same page.
    expect(withTrackRecord(page, await readTrackRecord())).toContain('## ')
  })

  test('the page shows what the record says', async () => {
    const page = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const tight = (text: string) => text.replace(/ +/g, ' ').replace(/-+/g, '-')
    expect(tight(withTrackRecord(page, await readTrackRecord()))).toBe(tight(page))
  })
})

test('a regression is a test with all of its scenario', async () => {
  const scenario = drawScenario(17, 2_000)
  const path = await writeRegression(
    {
      scenario,
      violation: { property: 'R5', message: 'R5: n2 commits 17 */ of another term' },
      commit: 'abc',
      summary: '9 faults → 1 fault',
    },
    directory,
  )
  expect(path).toBe(join(directory, 'seed-17-r5.test.ts'))
  const text = await readFile(path, 'utf8')
  expect(text).toContain("test('[R5] seed-17-r5'")
  expect(text).toContain('expect(violation).toBeNull()')
  const [, data] = /const scenario: Scenario = ([^]*)\n\ntest\(/.exec(text)!
  const plain = (value: unknown) =>
    JSON.stringify(value, (_, one: unknown) => (one === Infinity ? '∞' : one))
  expect(plain(runInNewContext(`(${data})`))).toBe(plain(scenario))
})
