// Members that come and go under load, by the commands that an operator types.
import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { ProcessCluster } from './process-cluster.ts'
import { bearer, TOKEN_SECRET, tokenOf } from './token-of.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
/** Checkpoints often, and a log that is cut: who comes late gets a snapshot. */
const SMALL = ['--log-segment-bytes', '262144', '--checkpoint-bytes', '500000']
/** What the load asks for; a machine that is busy gives less. */
const PER_SECOND = Number(process.env['PARLEY_DRILL_RATE'] ?? 1_000)
const SENDERS = 10
const TICK_MS = 50
/** Messages of a sender that wait for their tick at one time. */
const MOST_WAITING = 400

let cluster: ProcessCluster
let clients: ChatClient[] = []
afterEach(async () => {
  delete process.env['PARLEY_TOKEN_FILE']
  for (const client of clients.splice(0)) client.close()
  await cluster.close()
})

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Types a command; it may ask whichever nodes run. */
async function parley(...args: string[]): Promise<Outcome> {
  const urls = cluster.running.map(({ url }) => url).join(',')
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, PARLEY_URL: urls },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}

async function done(...args: string[]): Promise<Outcome> {
  const outcome = await parley(...args)
  expect(outcome, `${args.join(' ')}: ${outcome.stderr}`).toMatchObject({ code: 0 })
  return outcome
}

async function add(name: string): Promise<void> {
  const { peerAddress, url } = cluster.node(name)
  await cluster.start(name, { joins: true, flags: SMALL })
  await done('members', 'add', name, '--peer', peerAddress, '--client', url)
}

const roles = async (): Promise<string[]> => {
  const { stdout } = await done('members', '--json')
  const { members } = JSON.parse(stdout) as { members: { name: string; role: string }[] }
  return members.map(({ name, role }) => `${name} ${role}`)
}

/** Sends all the time through the SDK, and knows what was ticked, and when. */
class Load {
  readonly #client: ChatClient
  readonly to: string
  readonly ticks: number[] = []
  readonly seqs: number[] = []
  readonly errors: unknown[] = []
  #sent = 0
  #waiting = 0
  #isOver = false

  constructor(client: ChatClient, to: string) {
    this.#client = client
    this.to = to
  }

  async run(): Promise<void> {
    const conversation = this.#client.direct(this.to)
    const each = Math.max(1, Math.round((PER_SECOND / SENDERS) * (TICK_MS / 1_000)))
    while (!this.#isOver) {
      for (let at = 0; at < each && this.#waiting < MOST_WAITING; at += 1) {
        this.#sent += 1
        this.#waiting += 1
        conversation.send(`${this.#sent}`).sent.then(
          ({ seq }) => {
            this.#waiting -= 1
            this.ticks.push(performance.now())
            this.seqs.push(seq)
          },
          (error: unknown) => {
            this.#waiting -= 1
            this.errors.push(error)
          },
        )
      }
      await sleep(TICK_MS)
    }
    while (this.#waiting > 0) await sleep(20)
  }

  stop(): number {
    this.#isOver = true
    return this.#sent
  }
}

test(
  '[M-50] [MR11] 1 → 3 → 5 → 3 members under load: nothing lost, doubled or failed',
  { timeout: 240_000 },
  async () => {
    cluster = await ProcessCluster.create(5)
    await cluster.start('n1', { founders: ['n1'], flags: SMALL })
    await cluster.healthy()
    const urls = cluster.nodes.map(({ url }) => url)
    const loads = await Promise.all(
      Array.from({ length: SENDERS }, async (_, at) => {
        const user = `load${at}`
        const client = await ChatClient.connect({ urls, user, device: user })
        clients.push(client)
        return new Load(client, `sink${at}`)
      }),
    )
    const begunMs = performance.now()
    const running = loads.map((load) => load.run())
    for (const name of ['n2', 'n3', 'n4', 'n5']) await add(name)
    expect(await roles()).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'].map((name) => `${name} voter`))
    // First whoever leads: it hands leadership on.
    const first = (await cluster.leader())!
    await done('members', 'remove', first)
    expect(await cluster.ended(first)).toMatchObject({ code: 0 })
    const second = (await cluster.leader())!
    await done('members', 'remove', second)
    expect(await cluster.ended(second)).toMatchObject({ code: 0 })
    expect(await roles()).toHaveLength(3)
    const sent = loads.reduce((sum, load) => sum + load.stop(), 0)
    await Promise.all(running)
    const tookMs = performance.now() - begunMs

    expect(loads.flatMap(({ errors }) => errors)).toEqual([])
    for (const { seqs } of loads) {
      const ordered = [...seqs].sort((a, b) => a - b)
      expect(new Set(ordered).size).toBe(ordered.length)
    }
    const ticks = loads.flatMap((load) => load.ticks).sort((a, b) => a - b)
    expect(ticks).toHaveLength(sent)
    let longest = 0
    for (const [at, ms] of ticks.entries()) longest = Math.max(longest, ms - (ticks[at - 1] ?? ms))
    console.log(
      `1 → 3 → 5 → 3: ${sent} messages, ${Math.round(sent / (tookMs / 1_000))}/s, longest time without a tick ${Math.round(longest)} ms`,
    )
    expect(longest).toBeLessThan(10_000)
    // What stands there is what was sent: each once, on a node that founded nothing.
    const left = cluster.running[0]!.url
    for (const [at, load] of loads.entries()) {
      const user = `sink${at}`
      const reader = await ChatClient.connect({ urls: [left], user, device: `${user}-reader` })
      clients.push(reader)
      const bodies: unknown[] = []
      let page = await reader.direct(`load${at}`).history({ limit: 500 })
      for (; ; page = await page.next()) {
        for (const event of page.events) if (event.kind === 'message') bodies.push(event.body)
        if (!page.hasMore) break
      }
      expect(new Set(bodies).size).toBe(load.seqs.length)
      expect(bodies).toHaveLength(load.seqs.length)
    }
  },
)

const SECRET = { dev: false, tokenSecret: TOKEN_SECRET, flags: SMALL } as const

/** Nobody is taken in again by himself here: only an operator does it. */
async function started(size: number, founders: number): Promise<string> {
  cluster = await ProcessCluster.create(size)
  cluster.headers = () => bearer({ sub: 'op', role: 'admin' })
  const names = cluster.nodes.slice(0, founders).map(({ name }) => name)
  await Promise.all(names.map((name) => cluster.start(name, { ...SECRET, founders: names })))
  const leader = await cluster.healthy()
  await writeFile(tokenFile(), tokenOf({ sub: 'op', role: 'admin', exp: soon() }))
  process.env['PARLEY_TOKEN_FILE'] = tokenFile()
  return leader
}

const tokenFile = (): string => join(cluster.directory, 'operator-token')
const soon = (): number => Math.floor(Date.now() / 1_000) + 3_600

test('[K1] [MR9] a member whose disk is gone comes back under its name, when an operator says so', async () => {
  const leader = await started(3, 3)
  const lost = cluster.nodes.find(({ name }) => name !== leader)!.name
  const other = cluster.nodes.find(({ name }) => name !== leader && name !== lost)!.name
  const well = await parley('members', 'replace', lost)
  expect(well).toMatchObject({ code: 5, stdout: expect.stringContaining('has its data') })
  await cluster.kill(lost)
  await rm(cluster.node(lost).data, { recursive: true })
  const isDown = async () => (await parley('members', 'check', other)).code
  await expect.poll(isDown).toBe(5)
  const refused = await parley('members', 'remove', other)
  expect(refused).toMatchObject({
    code: 5,
    stdout: expect.stringContaining(`${lost} does not answer`),
  })
  const replaced = done('members', 'replace', lost, '--timeout', '60s')
  await cluster.start(lost, SECRET)
  expect((await replaced).stdout).toContain(`${lost} votes again, with a new directory`)
  await cluster.healthy()
  // The leader's disk: it is replaced like any other, once another one leads.
  await cluster.kill(leader)
  await rm(cluster.node(leader).data, { recursive: true })
  await cluster.start(leader, SECRET)
  await done('members', 'replace', leader, '--timeout', '60s')
  await cluster.healthy()
  expect((await roles()).sort()).toEqual(['n1 voter', 'n2 voter', 'n3 voter'])
})

test('[MR9] [MR10] the leader is replaced by a new node, and nothing unsafe is begun', async () => {
  const leader = await started(4, 3)
  const { peerAddress, url } = cluster.node('n4')
  await cluster.start('n4', { ...SECRET, joins: true })
  const where = ['--peer', peerAddress, '--client', url]
  const dry = await done('members', 'replace', leader, '--with', 'n4', ...where, '--dry-run')
  expect(dry.stdout).toContain('hands leadership on first')
  expect(await roles()).toEqual(['n1 voter', 'n2 voter', 'n3 voter'])
  const fenced = await parley('members', 'add', 'n4', ...where, '--if-match', '0')
  expect(fenced).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('CONFIGURATION_CHANGED'),
  })
  await done('members', 'replace', leader, '--with', 'n4', ...where)
  expect(await cluster.ended(leader)).toMatchObject({ code: 0 })
  const left = ['n1', 'n2', 'n3', 'n4'].filter((name) => name !== leader)
  expect(await roles()).toEqual(left.map((name) => `${name} voter`))
  // Typed again it finds that all is done.
  await done('members', 'replace', leader, '--with', 'n4', ...where)
  await cluster.healthy()
  const odd = await parley('members', 'add', 'n 5', ...where)
  expect(odd).toMatchObject({ code: 64, stderr: expect.stringContaining('name must be') })
})

test('[MR10] a new member that does not get on is told with what to do, and given up', async () => {
  await started(4, 3)
  const { peerAddress, url } = cluster.node('n4')
  // It dies as soon as it is taken in, before it has written that it was.
  const failpoints = 'membership.formationUnwritten=1'
  await cluster.start('n4', { ...SECRET, joins: true, failpoints })
  const where = ['--peer', peerAddress, '--client', url]
  await done('members', 'add', 'n4', ...where, '--no-wait')
  expect(await cluster.ended('n4', 60_000)).toMatchObject({ signal: 'SIGKILL' })
  const told = async () => (await done('members')).stdout
  const patience = { timeout: 60_000, interval: 200 }
  await expect.poll(told, patience).toMatch(/^n4 +learner +unreachable +unreachable /m)
  const advice = `next: n4 does not answer at ${peerAddress}: see whether it runs; parley members remove n4`
  expect(await told()).toContain(advice)
  const doctor = await parley('doctor', '--json', '--sample', '100ms', '--node-timeout', '20s')
  expect((JSON.parse(doctor.stdout) as { findings: object[] }).findings).toContainEqual(
    expect.objectContaining({
      ...{ check: 'learner-stuck', node: 'n4' },
      evidence: expect.stringMatching(/^n\d does not reach it at /),
      next: expect.stringContaining('parley members remove n4'),
    }),
  )
  await done('members', 'remove', 'n4')
  expect(await roles()).toEqual(['n1 voter', 'n2 voter', 'n3 voter'])
})
