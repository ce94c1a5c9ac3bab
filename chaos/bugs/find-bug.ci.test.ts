import { describe, expect, test } from 'vitest'
import { findBug } from './find-bug.ts'
import type { SeededBug } from './seeded-bug.ts'
import { SEEDED_BUGS } from './seeded-bugs.ts'

const bugCalled = (name: string) => SEEDED_BUGS.find((bug) => bug.name === name)!
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

  test('nothing in a change that changes nothing', async () => {
    const bug = bugCalled('old-term-commit')
    const same: SeededBug = { ...bug, replace: `${bug.find} // the same` }
    const [finding] = await findBug(same, [SEED], { runs: 1 })
    expect(finding).toMatchObject({ found: null, others: [], runs: 1 })
  })

  test('nothing where the program does not even run', async () => {
    const bug = { ...bugCalled('old-term-commit'), replace: 'no longer a program' }
    await expect(findBug(bug, [SEED], { runs: 1 })).rejects.toThrow('the simulator did not run')
  })
})
