// What a person types to break a cluster. kill-leader: dashboards/chaos.ci.test.ts.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parley } from '../../cli/dev/testing/dev-process.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-drills-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test.each(['kill-follower', 'pause-leader', 'stop-leader'])(
  '%s ends with a verdict, and leaves nothing behind',
  async (name) => {
    const words = ['drill', 'run', name, '--rounds', '1', '--senders', '3', '--json']
    const { code, stdout, stderr } = await parley(words, directory, { TMPDIR: directory })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const report = JSON.parse(stdout) as Record<string, unknown>
    expect(report).toMatchObject({ schema: 1, drill: name, verdict: 'passed', rounds: 1 })
    expect(report).toMatchObject({ violations: [], acknowledged: report['written'] })
    expect(report['newLeaderMs']).toHaveLength(name === 'kill-follower' ? 0 : 1)
    expect(stderr).toMatch(/round 1: (kill|pause|stop) n\d .*sends go on after \d+ ms/)
    expect((await readdir(directory)).filter((entry) => entry.startsWith('parley-'))).toEqual([])
  },
)

test('what there is is listed, and what there is not is refused before anything is started', async () => {
  const { stdout } = await parley(['drill', 'list', '--json'], directory)
  const { drills } = JSON.parse(stdout) as { drills: { name: string }[] }
  expect(drills.map(({ name }) => name)).toContain('kill-leader')
  expect(await parley(['drill', 'run', 'burn'], directory)).toMatchObject({
    ...{ code: 64, stderr: expect.stringContaining('there are kill-leader, kill-follower') },
  })
  const few = await parley(['drill', 'run', 'kill-leader', '--nodes', '2'], directory)
  expect(few).toMatchObject({ code: 64, stderr: expect.stringContaining('from 3 to 9') })
})
