import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { devClusterOfTests } from '../dev/testing/dev-cluster-of-tests.ts'

/** What operators type, each command a process. */
const { path: directory, run } = devClusterOfTests()

test('a conversation is exported, into a file too, and a second time only what is new', async () => {
  const say = async (text: string) => {
    const { stdout } = await run('send', '--as', 'kay', '--to', 'leo', '--json', text)
    return (JSON.parse(stdout) as { conversation: string }).conversation
  }
  await say('one')
  const id = await say('two')
  const out = await run('conversation', 'export', id)
  expect(out).toMatchObject({ code: 0, stderr: `parley: exported ${id} up to 2\n` })
  const lines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { t: string; seq?: number; body?: unknown })
  expect(lines(out.stdout)).toMatchObject([
    { t: 'conv:A', conversation: { id, head: 2 } },
    { t: 'msg:N', seq: 1, body: 'one' },
    { t: 'msg:N', seq: 2, body: 'two' },
  ])
  const path = join(directory, 'export.ndjson')
  expect((await run('conversation', 'export', id, '--output', path)).code).toBe(0)
  expect(readFileSync(path, 'utf8')).toBe(out.stdout)
  const again = await run('conversation', 'export', id, '--output', path)
  expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining('--resume') })
  await say('three')
  expect((await run('conversation', 'export', id, '--output', path, '--resume')).code).toBe(0)
  expect(lines(readFileSync(path, 'utf8')).map(({ seq }) => seq)).toEqual([undefined, 1, 2, 3])
  const late = await run('conversation', 'export', id, '--after', '2')
  expect(lines(late.stdout)).toMatchObject([{ seq: 3 }])
  expect(await run('conversation', 'export', id, '--after', '9')).toMatchObject({
    ...{ code: 5, stdout: '', stderr: expect.stringContaining('past the newest event, 3') },
  })
  expect((await run('conversation', 'export', 'c_none')).code).toBe(5)
})

test('a user is erased on a second word only, and it is told what went', async () => {
  for (const text of ['one', 'two']) await run('send', '--as', 'mia', '--to', 'ned', text)
  await run('send', '--as', 'mia', '--to', 'oli', 'three')
  await run('send', '--as', 'ned', '--to', 'mia', 'stays')
  const bodies = { schema: 1, user: 'mia', bodies: 3, conversations: 2, pending: false }
  const asked = await run('user', 'erase', 'mia', '--json')
  expect(asked).toMatchObject({ code: 5, stderr: expect.stringContaining('add --yes') })
  expect(JSON.parse(asked.stdout)).toEqual({ ...bodies, erased: false })
  expect((await run('user', 'erase', 'mia')).stdout).toBe(
    'would be erased · mia · 3 messages and edits in 2 conversations\n',
  )
  const done = await run('user', 'erase', 'mia', '--yes', '--json')
  expect(done.code).toBe(0)
  expect(JSON.parse(done.stdout)).toMatchObject({ ...bodies, erased: true })
  // The other nodes follow.
  const left = async () => {
    const { stdout } = await run('tail', '--as', 'ned', '--no-follow', '--json')
    return stdout.match(/"body":"\w+"/g)
  }
  await expect.poll(left).toEqual(['"body":"stays"'])
  expect((await run('user', 'erase', 'mia', '--yes')).stdout).toContain(' · 0 messages and edits')
})

test('retention is tried dry, with a policy that nobody set', async () => {
  for (const text of ['one', 'two', 'three']) await run('send', '--as', 'pia', '--to', 'quin', text)
  const sent = await run('send', '--as', 'pia', '--to', 'quin', '--json', 'four')
  const { conversation: id } = JSON.parse(sent.stdout) as { conversation: string }
  const policy = ['--max-count', '1']
  const { code, stdout } = await run('retention', '--dry-run', id, ...policy, '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    schema: 1,
    conversations: [{ conv: id, events: 3, stubs: 0, bytes: 14, oldestKept: { seq: 4 } }],
  })
  const shown = await run('retention', '--dry-run', id, ...policy)
  expect(shown.stdout).toMatch(/^would remove · 3 events and 0 bodies · 14 B · 1 of 1 conv/)
  expect(shown.stdout).toContain('OLDEST KEPT')
  expect((await run('retention', '--dry-run')).stdout).toBe(
    'would remove · 0 events and 0 bodies · 0 B · 0 of 0 conversations\n',
  )
  expect((await run('retention', '--dry-run', id)).stderr).toContain('it has no policy')
  expect((await run('tail', '--as', 'quin', '--no-follow')).stdout).toContain('pia: one')
})

test('leadership moves to the node that is named, or to another one, whoever is asked', async () => {
  const { stdout } = await run('transfer', '--json')
  const first = JSON.parse(stdout) as { from: string; to: string; term: number; gapMs: number }
  expect(first.to).not.toBe(first.from)
  expect(first.gapMs).toBeGreaterThan(0)
  const back = await run('transfer', first.from)
  expect(back.code).toBe(0)
  expect(back.stdout).toMatch(
    new RegExp(`^${first.to} → ${first.from} · term \\d+ · writes waited \\d+ ms\n$`),
  )
  expect((await run('transfer', first.from)).stdout).toMatch(/leads already · term \d+\n$/)
  const nobody = await run('transfer', 'n9')
  expect(nobody).toMatchObject({
    code: 5,
    stdout: expect.stringContaining('no member is called n9'),
  })
})

test('a node is drained and taken back, from any other; the last one that serves is not', async () => {
  const shown = JSON.parse((await run('drain', 'n2', '--dry-run', '--json')).stdout) as object
  expect(shown).toMatchObject({ schema: 1, node: 'n2', phase: 'serving', refuges: ['n1', 'n3'] })
  expect((await run('transfer', 'n2')).code).toBe(0)
  const drained = await run('drain', 'n2', '--wait')
  expect(drained).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^n2 drained · clients 0 · writes 0\n$/),
  })
  const status = await run('status')
  expect(status.code).toBe(3)
  expect(status.stdout).toContain('draining')
  // Whoever asks it for clients or leadership is sent elsewhere; messages go on.
  expect((await run('send', '--as', 'kim', '--to', 'lou', 'still')).code).toBe(0)
  expect((await run('drain', 'n3', '--wait')).code).toBe(0)
  const last = await run('drain', 'n1')
  expect(last).toMatchObject({ code: 5, stderr: expect.stringContaining('nobody would take') })
  for (const name of ['n2', 'n3']) {
    expect((await run('undrain', name)).stdout).toMatch(new RegExp(`^${name} serving`))
  }
  expect((await run('status', '--wait', 'healthy')).code).toBe(0)
  expect(await run('drain', 'n9')).toMatchObject({ code: 5 })
})

test('the upgrade of a new cluster is final, and says so', async () => {
  const { stdout } = await run('upgrade')
  expect(stdout).toMatch(/^feature level 2\n\nNAME +VERSION +LEVELS\nn1 +\S+ +1 to 2\n/)
  const again = JSON.parse((await run('upgrade', 'finalize', '--json')).stdout) as object
  expect(again).toMatchObject({ schema: 1, level: 2, most: 2, waitingFor: [] })
})

test('a roll touches one node after the other, and stops where something fails', async () => {
  const dry = await run('roll', '--dry-run', '--', 'restart', '{node}', '{url}')
  expect(dry).toMatchObject({ code: 0, stdout: '' })
  expect(dry.stderr).toMatch(/n\d would be drained, then: restart n\d http:\/\/127/)
  const failed = await run(
    'roll',
    '--nodes',
    'n2,n3',
    '--',
    'node',
    '-e',
    'process.exit(7)',
    '{node}',
  )
  expect(failed).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/the command for n2 failed \(7\).*parley undrain n2/),
  })
  // It is drained and nothing brought it back: the next roll does not begin.
  expect(await run('roll', '--dry-run', '--', 'x', '{node}')).toMatchObject({ code: 5 })
  expect((await run('undrain', 'n2')).code).toBe(0)
  expect(await run('roll', '--', 'restart-all')).toMatchObject({ code: 64 })
  expect((await run('status', '--wait', 'healthy')).code).toBe(0)
})

test('a conversation is shown without a word of it, and its events with words on purpose', async () => {
  const say = async (text: string, ...more: string[]) => {
    const { stdout } = await run('send', '--as', 'rex', '--to', 'sam', '--json', ...more, text)
    return (JSON.parse(stdout) as { conversation: string }).conversation
  }
  await say('hush one')
  const id = await say('hush two', '--reply-to', '1')
  // Whichever node is asked first.
  const json = async (...args: string[]) => {
    const { code, stdout } = await run('conversation', ...args, '--json')
    expect(code).toBe(0)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  await expect.poll(() => json('show', id)).toMatchObject({ schema: 1, conv: id, head: 2 })
  const shown = await run('conversation', 'show', id)
  expect(shown.stdout).toMatch(/ · direct · 2 members · 2 messages\n/)
  expect(shown.stdout).toMatch(/\nrex +member +1– +\d+ +\d+ +\d+ +\d+\nsam +member +1– +\d+/)
  const one = await run('conversation', 'show', id, '--limit', '1')
  expect(one.stdout).toContain('\n1 more: --limit 2 shows all\n')
  const listed = await run('conversation', 'messages', id, '--after', '0')
  expect(listed.stdout).toMatch(/^SEQ +AT .*\n1 +2\d{3}-.*Z +message +rex +\S+ +\S+ +9 bytes\n/)
  expect(listed.stdout).toContain('answers 1')
  expect(listed.stderr).toBe(`parley: ${id} up to 2 of 2\n`)
  for (const { stdout } of [shown, one, listed]) expect(stdout).not.toContain('hush')
  const first = await run(
    'conversation',
    'messages',
    id,
    '--after',
    '0',
    '--limit',
    '1',
    '--bodies',
  )
  expect(first.stdout).toContain('  hush one\n')
  expect(first.stderr).toBe(`parley: ${id} up to 1 of 2: go on with --after 1\n`)
  const events = { schema: 1, items: [{ seq: 2, body: 'hush two' }], next: 2, hasMore: false }
  expect(await json('messages', id, '--limit', '1', '--bodies')).toMatchObject(events)
  // What nobody has, and what cannot be.
  expect(await run('conversation', 'show', 'c_none')).toMatchObject({
    ...{ code: 5, stdout: '', stderr: expect.stringContaining('GROUP_NOT_FOUND') },
  })
  expect(await run('conversation', 'messages', id, '--after', '9')).toMatchObject({
    ...{ code: 5, stderr: expect.stringContaining('past the newest event, 2') },
  })
})

test('lags are told apart: of nodes, and of those who are furthest behind', async () => {
  for (const text of ['one', 'two', 'three', 'four']) {
    await run('send', '--as', 'tom', '--to', 'una', text)
  }
  const lag = async (...args: string[]) => {
    const { code, stdout, stderr } = await run('lag', ...args, '--node-timeout', '15s', '--json')
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout) as {
      nodes: { node: string; replica: number; apply: number }[]
      survey: { rows: { user: string; behind: number }[]; isWhole: boolean }
    }
  }
  const behind = async () => {
    const { survey } = await lag('--by', 'user', '--top', '100')
    return survey.rows.find(({ user }) => user === 'una')?.behind
  }
  await expect.poll(behind).toBe(4)
  const nodes = async () => (await lag()).nodes
  await expect
    .poll(nodes)
    .toMatchObject(['n1', 'n2', 'n3'].map((node) => ({ node, replica: 0, apply: 0 })))
  const shown = await run('lag', '--by', 'conversation', '--top', '1')
  expect(shown.stdout).toMatch(/^NODE +REPLICA LAG +APPLY LAG +STATE AGE +NOTE\nn1 +\d+ +\d+ +\d/)
  expect(shown.stdout).toMatch(
    /\nconversations furthest behind · all \d+ conversations looked at · /,
  )
  expect(shown.stdout).toMatch(/\nCONVERSATION +KIND .*\n[dg]_\S+ +(direct|group) +\d+ +\d+ +\d+ /)
  const seen = await lag('--by', 'device', '--seen', '1h')
  expect(seen.survey.isWhole).toBe(true)
  // Of a node that is away it is not known: that is not well.
  expect((await run('dev', 'kill', 'n3')).code).toBe(0)
  const without = await run('lag', '--json')
  expect(without.code).toBe(3)
  const { nodes: rest } = JSON.parse(without.stdout) as { nodes: object[] }
  expect(rest[2]).toMatchObject({ node: 'n3', apply: null })
  expect((await run('dev', 'start', 'n3')).code).toBe(0)
  expect((await run('status', '--wait', 'healthy')).code).toBe(0)
})
