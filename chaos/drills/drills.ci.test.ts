// What a person types to break a cluster. kill-leader: dashboards/chaos.ci.test.ts.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parley } from '../../cli/dev/testing/dev-process.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-drills-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test.each(['kill-follower', 'pause-leader', 'stop-leader', 'isolate-leader', 'halves'])(
  '%s ends with a verdict, and leaves nothing behind',
  async (name) => {
    const words = ['drill', 'run', name, '--rounds', '1', '--senders', '3', '--json']
    const { code, stdout, stderr } = await parley(words, directory, { TMPDIR: directory })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const report = JSON.parse(stdout) as Record<string, unknown>
    expect(report).toMatchObject({ schema: 1, drill: name, verdict: 'passed', rounds: 1 })
    expect(report).toMatchObject({ violations: [], acknowledged: report['written'] })
    // Of four nodes no half can elect anybody; who leads once they are one again was not replaced.
    const elections = ['kill-follower', 'halves'].includes(name) ? 0 : 1
    expect(report['newLeaderMs']).toHaveLength(elections)
    expect(report['recoveriesMs']).toHaveLength(1)
    if (name === 'halves') {
      expect(stderr).toMatch(/round 1: partition n\d, n\d · no majority is left/)
      expect(stderr).toMatch(/round 1: heal n1, n2, n3, n4 · sends go on after \d+ ms/)
      // It went on in nobody's half.
      expect(report['longestGapMs']).toBeGreaterThan(3_000)
    } else {
      expect(stderr).toMatch(/round 1: (kill|pause|stop|partition) n\d .*sends go on after \d+ ms/)
    }
    expect((await readdir(directory)).filter((entry) => entry.startsWith('parley-'))).toEqual([])
  },
)

test('steps from a file are done in their order, and what they leave broken is mended', async () => {
  const file = join(import.meta.dirname, 'outage.json')
  const words = ['drill', 'run', file, '--rounds', '1', '--senders', '3', '--json']
  const { code, stdout, stderr } = await parley(words, directory, { TMPDIR: directory })
  expect({ code, stderr }).toMatchObject({ code: 0 })
  const report = JSON.parse(stdout) as Record<string, unknown>
  expect(report).toMatchObject({ drill: 'outage', verdict: 'passed', rounds: 1, violations: [] })
  const done = [...stderr.matchAll(/round 1: (\w+) (n\d)/g)].map(([, verb]) => verb)
  expect(done).toEqual([
    ...['partition', 'heal', 'kill', 'start', 'kill', 'start'],
    ...['partition', 'stop', 'start', 'kill', 'heal', 'start'],
  ])
})

test('what there is is listed, and what there is not is refused before anything is started', async () => {
  const { stdout } = await parley(['drill', 'list', '--json'], directory)
  const { drills } = JSON.parse(stdout) as { drills: { name: string }[] }
  expect(drills.map(({ name }) => name)).toContain('kill-leader')
  expect(await parley(['drill', 'run', 'burn'], directory)).toMatchObject({
    ...{ code: 64, stderr: expect.stringContaining('there are kill-leader, kill-follower') },
  })
  const file = join(directory, 'steps.json')
  await writeFile(file, '{"summary":"it","nodes":3,"steps":[{"do":"kill","node":"n4"}]}')
  expect(await parley(['drill', 'run', file], directory)).toMatchObject({
    ...{ code: 64, stderr: expect.stringContaining('the drill names n4, and the cluster has 3') },
  })
  await writeFile(file, '{"summary":"it","step":[]}')
  expect(await parley(['drill', 'run', file], directory)).toMatchObject({
    ...{ code: 64, stderr: expect.stringContaining('Unrecognized key: "step"') },
  })
  const few = await parley(['drill', 'run', 'kill-leader', '--nodes', '2'], directory)
  expect(few).toMatchObject({ code: 64, stderr: expect.stringContaining('from 3 to 9') })
})
