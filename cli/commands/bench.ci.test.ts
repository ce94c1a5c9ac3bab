import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { messagesApplied } from '../../bench/load/messages-applied.ts'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { tokenOf, TOKEN_SECRET } from '../../chaos/processes/token-of.ts'
import type { BenchReport } from '../bench/bench-report.ts'
import type { Capacity } from '../capacity/capacity.ts'
import { parley } from '../dev/testing/dev-process.ts'

const PARLEY = fileURLToPath(new URL('../parley.mjs', import.meta.url))
const SHORT = ['--warmup', '200ms', '--conversations', '40', '--clients', '8']

let cluster: ProcessCluster
let directory: string
let urls: string

const bench = (...args: string[]) => parley(['bench', ...args, '--url', urls, ...SHORT], directory)
const reportIn = ({ stdout }: { stdout: string }) => JSON.parse(stdout) as BenchReport

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-bench-'))
  cluster = await ProcessCluster.started(3)
  urls = cluster.nodes.map(({ url }) => url).join(',')
}, 120_000)
afterAll(async () => {
  await cluster?.close()
  await rm(directory, { recursive: true, force: true })
})

test('at a rate each message is sent, acknowledged and found again; a baseline is kept or not', async () => {
  const at = ['send', '--rate', '200', '--duration', '2s', '--yes', '--json']
  const done = await bench(...at)
  expect(done.code, done.stderr).toBe(0)
  const report = reportIn(done)
  // Begun at its time, however late an answer is: 200 a second for 2 s.
  const { count, errors, unknown } = report.measured
  const begun = Object.values(errors).reduce((sum, times) => sum + times, count + unknown)
  expect(begun).toBeGreaterThanOrEqual(398)
  expect(begun).toBeLessThanOrEqual(402)
  expect(count).toBeGreaterThan(200)
  expect(report).toMatchObject({
    ...{ schema: 1, bench: 'send', endedEarly: false, max: null },
    verified: { stored: { lost: 0, doubled: 0, disordered: 0, strange: 0 }, wrong: 0 },
  })
  expect(report.verified!.stored.acknowledged).toBeGreaterThanOrEqual(count)
  expect(report.nodes.nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3'])
  expect(report.nodes.nodes.some(({ syncP99Ms }) => syncP99Ms !== null)).toBe(true)
  expect(done.stderr).toMatch(/^parley: 1 s · \d+\/s · p99 /m)
  const keep = async (p99Ms: number, perSecond: number) => {
    const kept = { ...report, measured: { ...report.measured, p50Ms: p99Ms, p99Ms, perSecond } }
    await writeFile(join(directory, 'kept.json'), JSON.stringify(kept))
  }
  const again = [...at, '--duration', '500ms', '--baseline', 'kept.json']
  await keep(60_000, 0)
  const better = await bench(...again)
  expect(better.code, better.stderr).toBe(0)
  await keep(60_000, 1_000)
  const worse = await bench(...again)
  expect(worse).toMatchObject({ code: 1, stderr: expect.stringContaining('worse than') })
  expect(JSON.parse(worse.stdout)).toMatchObject({
    verdict: 'verified',
    compared: [{ figure: 'per second', isWorse: true }, { isWorse: false }, { isWorse: false }],
  })
})

test('with so many in flight, what applications have is measured, and what comes back', async () => {
  const delivered = await bench('deliver', '--in-flight', '10', '--duration', '1s', '--yes')
  expect(delivered.code, delivered.stderr).toBe(0)
  expect(delivered.stdout).toMatch(/^VERIFIED · deliver · [1-9]\d* delivered · /)
  expect(delivered.stdout).toContain('10 in flight')
  const coming = ['--in-flight', '2', '--backlog', '30', '--duration', '1s', '--yes', '--json']
  const synced = await bench('sync', ...coming)
  expect(synced.code, synced.stderr).toBe(0)
  expect(reportIn(synced)).toMatchObject({ bench: 'sync', verified: { wrong: 0 } })
  expect(reportIn(synced).measured.count).toBeGreaterThan(0)
})

test('the most that is kept up is looked for, down to where nothing is', async () => {
  const found = await bench(
    ...['send', '--find-max', '--rate', '8', '--p99', '0.001ms', '--duration', '300ms'],
    ...['--yes', '--json'],
  )
  expect(found).toMatchObject({ code: 1, stderr: expect.stringContaining('begin lower') })
  const { max, verified } = reportIn(found)
  expect(max!.rate).toBeNull()
  expect(max!.steps.map(({ rate }) => rate)).toEqual([8, 4, 2, 1])
  expect(verified!.stored).toMatchObject({ lost: 0, doubled: 0, disordered: 0, strange: 0 })
})

test('more than a session may have unanswered waits its turn, and all of it is answered', async () => {
  const done = await bench(
    ...['send', '--in-flight', '3000', '--clients', '1', '--duration', '1s', '--yes', '--json'],
  )
  expect(done.code, done.stderr).toBe(0)
  const { measured, verified } = reportIn(done)
  expect(measured.errors).not.toHaveProperty('NOT_SENT')
  expect(measured.count).toBeGreaterThan(0)
  expect(verified!.stored.acknowledged).toBeGreaterThan(999)
})

test('capacity tells how long there is room, through one node, at the rate since an earlier look', async () => {
  const [first] = urls.split(',') as [string]
  const look = (...args: string[]) =>
    parley(['capacity', '--url', first, '--node-timeout', '20s', ...args], directory)
  const kept = await look('--sample', '200ms', '--json')
  expect(kept.code, kept.stderr).toBe(0)
  await writeFile(join(directory, 'kept.json'), kept.stdout)
  await writeFile(join(directory, 'max.json'), JSON.stringify({ max: { rate: 100_000 } }))
  const load = await bench('send', '--rate', '200', '--duration', '1s', '--yes')
  expect(load.code, load.stderr).toBe(0)
  const told = await look('--since', 'kept.json', '--ceiling', 'max.json', '--json')
  expect(told.code, told.stderr).toBe(0)
  const capacity = JSON.parse(told.stdout) as Capacity & { headroom: { usedShare: number } }
  expect(capacity.nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3'])
  expect(capacity.messagesPerSecond).toBeGreaterThan(0)
  expect(capacity.headroom.usedShare).toBeLessThan(1)
  expect(capacity.writesStopAtMs).toBeGreaterThan(capacity.takenAtMs)
  for (const { loggedPerMessage, sessionLimit, roomBytes, freeBytes } of capacity.nodes) {
    // Bodies of 256 bytes.
    expect(loggedPerMessage).toBeGreaterThan(256)
    expect(sessionLimit).not.toBeNull()
    expect(freeBytes! - roomBytes!).toBe(64 * 1024 * 1024)
  }
  const shown = await look('--since', 'kept.json', '--ceiling', '100000')
  expect(shown.stdout).toMatch(/messages\/s over .* · writes stop for want of room /)
  expect(shown.stdout).toContain('ceiling 100000/s')
  for (const [option, file] of [
    ['--since', 'max.json'],
    ['--ceiling', 'kept.json'],
    ['--ceiling', 'none.json'],
  ] as const) {
    expect(await look(option, file), option).toMatchObject({ code: 64, stdout: '' })
  }
})

test('nothing is written to a cluster that parley dev did not start, unless that is said', async () => {
  const before = await messagesApplied(cluster.nodes[0]!.url)
  expect(await bench('send')).toMatchObject({
    ...{ code: 5, stdout: '', stderr: expect.stringContaining('add --yes if') },
  })
  expect(await messagesApplied(cluster.nodes[0]!.url)).toBe(before)
  const none = await parley(['bench', 'send', '--url', 'http://127.0.0.1:9', '--yes'], directory)
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('no node answers') })
})

test.each([
  [['send', '--rate', '0'], 'above 0'],
  [['send', '--rate', '5', '--in-flight', '5'], 'cannot be used with'],
  [['send', '--body', '70000'], 'from 1 to 60000'],
  [['send', '--baseline', 'none.json', '--yes'], 'cannot read none.json'],
  [['send', '--tolerance', '20'], 'Write it like 25%'],
  [['deliver', '--clients', '1', '--conversations', '1001', '--yes'], 'at most 1000 can'],
  [['snd'], 'unknown command'],
])('bad input is refused: bench %j', async (args, said) => {
  const { code, stderr } = await parley(['bench', ...args, '--url', urls], directory)
  expect({ code, stderr }).toMatchObject({ code: 64, stderr: expect.stringContaining(said) })
})

test('peers takes what bench/peers.ts takes', async () => {
  const { code, stderr } = await parley(['bench', 'peers', '--rounds', '0'], directory)
  expect({ code, stderr }).toMatchObject({
    ...{ code: 64, stderr: expect.stringContaining('--rounds must be a whole number') },
  })
})

test('where users need tokens, a token of a service speaks as all of them', async () => {
  const one = await ProcessCluster.create(1)
  try {
    one.headers = () => ({ authorization: `Bearer ${tokenOf({ sub: 'o', role: 'admin' })}` })
    await one.start('n1', { dev: false, tokenSecret: TOKEN_SECRET })
    await one.healthy()
    const files = { service: 'service', user: 'user' }
    for (const [name, role] of Object.entries(files)) {
      await writeFile(join(directory, name), tokenOf({ sub: name, role }))
    }
    const run = (...args: string[]) => {
      const words = ['send', '--url', one.nodes[0]!.url, '--yes', '--rate', '20', ...SHORT]
      return parley(['bench', ...words, '--duration', '500ms', ...args], directory)
    }
    const done = await run('--service-token-file', 'service')
    expect(done.code, done.stderr).toBe(0)
    expect(done.stdout).toMatch(/^VERIFIED/)
    expect(done.stdout).toContain('fsync p99 unknown')
    for (const args of [[], ['--service-token-file', 'user']]) {
      const refused = await run(...args)
      expect(refused).toMatchObject({ code: 5, stdout: '' })
      expect(refused.stderr).toContain('parley token --role service')
    }
  } finally {
    await one.close()
  }
})

/** One that something happens to. */
function startBench(...args: string[]) {
  const words = ['bench', ...args, '--url', urls, '--yes', ...SHORT, '--json']
  const child = spawn(process.execPath, [PARLEY, ...words], { cwd: directory })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (data) => (said[stream] += String(data)))
  }
  return { child, said, ended: once(child, 'close') }
}

test('Ctrl-C ends it with what was measured', async () => {
  const { child, said, ended } = startBench('send', '--duration', '10m')
  await expect.poll(() => said.stderr, { timeout: 30_000 }).toContain('parley: 2 s')
  child.kill('SIGINT')
  expect(await ended, said.stderr).toEqual([0, null])
  const report = reportIn(said)
  expect(report).toMatchObject({ endedEarly: true, verified: { wrong: 0 } })
  expect(report.measured.count).toBeGreaterThan(0)
  expect(report.measured.seconds).toBeLessThan(300)
})

test('a leader that is killed costs answers, and nothing that was acknowledged', async () => {
  const { child, said, ended } = startBench('send', '--rate', '100', '--duration', '10m')
  await expect.poll(() => said.stderr, { timeout: 30_000 }).toContain('parley: 1 s')
  await cluster.kill(await cluster.healthy())
  await cluster.healthy()
  const seconds = () => said.stderr.match(/^parley: \d+ s · [1-9]/gm)?.length ?? 0
  const before = seconds()
  await expect.poll(seconds, { timeout: 30_000 }).toBeGreaterThan(before)
  child.kill('SIGINT')
  expect(await ended, said.stderr).toEqual([0, null])
  const { measured, verified, nodes } = reportIn(said)
  expect(measured.count).toBeGreaterThan(0)
  expect(verified).toMatchObject({
    ...{ stored: { lost: 0, doubled: 0, disordered: 0, strange: 0 }, wrong: 0 },
  })
  expect(nodes.missing).not.toEqual([])
})
