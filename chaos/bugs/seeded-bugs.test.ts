import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from './broken-tree.ts'
import { findBug } from './find-bug.ts'
import { type SeededBug, withBug } from './seeded-bug.ts'
import { SEEDED_BUGS } from './seeded-bugs.ts'

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const bugCalled = (name: string) => SEEDED_BUGS.find((bug) => bug.name === name)!

describe('seeded bugs', () => {
  test.each(SEEDED_BUGS)('$name changes one place of $file', (bug) => {
    const text = textOf(bug.file)
    expect(withBug(bug, text)).not.toBe(text)
  })

  test('are told apart, and break what is specified', () => {
    const names = SEEDED_BUGS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([])
    const specified = new Set(textOf('chaos/SPEC.md').match(/(?<=^- \*\*)[PR]\d+/gm))
    const broken = SEEDED_BUGS.flatMap(({ breaks }) => breaks)
    expect(broken.filter((id) => !specified.has(id))).toEqual([])
    expect(SEEDED_BUGS.filter(({ breaks }) => breaks.length === 0)).toEqual([])
  })

  test('a text that has moved on is told', () => {
    const bug = bugCalled('old-term-commit')
    expect(() => withBug(bug, '')).toThrow(/old-term-commit: its text stands 0 times/)
    expect(() => withBug(bug, bug.find + bug.find)).toThrow(/stands 2 times/)
  })
})

/** What it draws is over soon. */
const SEED = 63_000_003

// All of them, from new seeds: `npm run sim:bugs`. These show in the first run of nearly any seed.
describe('the simulator, as it stands, finds', () => {
  test.each(['pre-vote-raises-term', 'page-skips-one'])(
    '%s',
    { timeout: 240_000 },
    async (name) => {
      const [finding] = await findBug(bugCalled(name), [SEED], { runs: 40 })
      expect(bugCalled(name).breaks).toContain(finding!.found?.property)
    },
  )

  test('nothing in a change that changes nothing', { timeout: 240_000 }, async () => {
    const bug = bugCalled('old-term-commit')
    const same: SeededBug = { ...bug, replace: `${bug.find} // the same` }
    const [finding] = await findBug(same, [SEED], { runs: 1 })
    expect(finding).toMatchObject({ found: null, others: [], runs: 1 })
  })

  test('nothing where the program does not even run', { timeout: 240_000 }, async () => {
    const bug = { ...bugCalled('old-term-commit'), replace: 'no longer a program' }
    await expect(findBug(bug, [SEED], { runs: 1 })).rejects.toThrow('the simulator did not run')
  })
})
