import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { DiskFaults } from './disk-faults.ts'
import { type DrillReport, runDrill } from './kill-drill.ts'
import { LoopDisks } from './loop-disks.ts'
import { ProcessCluster, type StartOptions } from './process-cluster.ts'
import { lacking } from './requirements.ts'

/** Power cuts of all nodes at once; the long form sets hundreds. */
const CYCLES = Number(process.env['PARLEY_POWER_CYCLES'] ?? 10)
/** Small enough that segments, checkpoints and compactions are under way at every cut. */
const SMALL = ['--log-segment-bytes', '262144', '--checkpoint-bytes', '131072']

let cluster: ProcessCluster
let disks: LoopDisks | null = null

async function build(): Promise<void> {
  cluster = await ProcessCluster.create(3)
  disks = await LoopDisks.create(cluster)
}

async function tearDown(): Promise<void> {
  await Promise.all(cluster.running.map(({ name }) => cluster.kill(name)))
  await disks?.close()
  disks = null
  await cluster.close()
}

afterEach(tearDown)

/** Cuts, ends and restarts the nodes while messages are being acknowledged. */
async function cut(
  names: readonly string[],
  end: 'killed' | 'by itself',
  options: StartOptions = {},
): Promise<void> {
  await disks!.losePower(names)
  if (end === 'by itself') {
    // The last of all has nobody left to write for, and may wait for others for ever.
    const endings = names.map((name) => cluster.ended(name).then((exit) => ({ name, exit })))
    const all = await (names.length < 3
      ? Promise.all(endings)
      : Promise.any(endings).then((one) => [one]))
    for (const { name, exit } of all) {
      expect(exit).toEqual({ code: 1, signal: null })
      expect(await cluster.output(name)).toContain('the disk reports an error')
    }
  }
  for (const name of names) await cluster.kill(name)
  await disks!.mountAgain(names)
  await Promise.all(names.map((name) => cluster.start(name, { flags: SMALL, ...options })))
}

function figures(what: string, cuts: number, report: DrillReport): void {
  const recoveries = report.recoveriesMs.toSorted((a, b) => a - b)
  console.log(
    `${what}: ${cuts} cuts, ${report.acknowledged} acknowledged, ${report.repeats} repeats, ` +
      `${report.violations.length} violations, then a tick after p50 ` +
      `${recoveries[recoveries.length >> 1]?.toFixed(0)} ms, max ${recoveries.at(-1)?.toFixed(0)} ms`,
  )
}

describe.skipIf(lacking('root', 'loop', 'cc'))('the power fails under load', () => {
  test.each([
    { victims: 3, cuts: CYCLES },
    { victims: 2, cuts: Math.ceil(CYCLES / 3) },
    { victims: 1, cuts: Math.ceil(CYCLES / 3) },
  ])(
    'at $victims of 3 nodes at once, $cuts times: nothing acknowledged is lost on any',
    async ({ victims, cuts }) => {
      await build()
      await cluster.startAll({ flags: SMALL })
      await cluster.healthy(60_000)
      const report = await runDrill({
        cluster,
        senders: 20,
        conversations: 10,
        harm: async ({ recovered }) => {
          for (let at = 0; at < cuts; at++) {
            const names = cluster.nodes.map(({ name }) => name)
            const first = names.indexOf(await cluster.healthy())
            // With and without the leader.
            const chosen = [...names, ...names].slice(first + (at % 2), first + (at % 2) + victims)
            const alone = at % 3 === 2
            // Now and then it fails again while the nodes recover from the first cut.
            const again = at % 4 === 3
            await cut(chosen, alone ? 'by itself' : 'killed')
            if (again) {
              await sleep(Math.random() * 1_500)
              await cut(chosen, 'killed')
            }
            await cluster.healthy(60_000)
            await recovered()
            await sleep(Math.random() * 300)
          }
        },
      })
      figures(`${victims} of 3`, cuts, report)
      expect(report.violations).toEqual([])
      expect(report.acknowledged).toBe(report.sent)
      expect(report.duplicatesAnswered).toBe(report.repeats)
      expect(report.acknowledged).toBeGreaterThan(cuts * 10)
    },
    60_000 + CYCLES * 15_000,
  )

  test(
    'while a cluster forms: it forms all the same',
    async () => {
      for (let round = 0; round < Math.ceil(CYCLES / 3); round++) {
        await build()
        await cluster.startAll({ flags: SMALL })
        const names = cluster.nodes.map(({ name }) => name)
        // From before the first file to after the first election.
        await sleep(300 + Math.random() * 1_700)
        await cut(round % 2 === 0 ? names : names.slice(1), 'killed')
        await cluster.healthy(60_000)
        const harm = ({ recovered }: { recovered: () => Promise<void> }) => recovered()
        const report = await runDrill({ cluster, senders: 5, conversations: 2, harm })
        expect(report.violations).toEqual([])
        expect(report.acknowledged).toBe(report.sent)
        await tearDown()
      }
    },
    60_000 + CYCLES * 10_000,
  )

  test('[control] where syncs do nothing the same cut loses messages, and it is seen', async () => {
    await build()
    const faults = await DiskFaults.create(cluster)
    const options = (name: string) => ({ flags: SMALL, env: faults.environment(name) })
    await Promise.all(cluster.nodes.map(({ name }) => cluster.start(name, options(name))))
    await cluster.healthy(60_000)
    const names = cluster.nodes.map(({ name }) => name)
    const drill = runDrill({
      cluster,
      senders: 20,
      conversations: 10,
      resumes: false,
      harm: async () => {
        for (const name of names) await faults.set(name, { on: 'sync', does: 'skip', where: '/' })
        await sleep(500)
        for (const name of names) expect(await faults.hits(name)).toBeGreaterThan(0)
        await cut(names, 'killed')
        await cluster.healthy(20_000)
      },
    })
    const report = await Promise.race([drill.catch(() => null), sleep(60_000, null)])
    if (report === null) {
      // One node still knows what the others lost: they stop rather than serve the rest of it.
      const outputs = await Promise.all(names.map((name) => cluster.output(name)))
      expect(outputs.join('\n')).toContain('acknowledged what was never sent')
      return
    }
    figures('control', 1, report)
    const lost = report.violations.filter(({ property }) => property === 'P1')
    expect(lost.length).toBeGreaterThan(0)
  })

  test('one disk that lied: its node is told so and stops, and nothing is lost', async () => {
    await build()
    const faults = await DiskFaults.create(cluster)
    const options = (name: string) => ({ flags: SMALL, env: faults.environment(name) })
    await Promise.all(cluster.nodes.map(({ name }) => cluster.start(name, options(name))))
    const leader = await cluster.healthy(60_000)
    const liar = cluster.nodes.find(({ name }) => name !== leader)!
    const report = await runDrill({
      cluster,
      senders: 20,
      conversations: 10,
      harm: async ({ recovered }) => {
        await faults.set(liar.name, { on: 'sync', does: 'skip', where: '/' })
        await sleep(500)
        expect(await faults.hits(liar.name)).toBeGreaterThan(0)
        await cut([liar.name], 'killed')
        expect(await cluster.ended(liar.name)).toEqual({ code: 3, signal: null })
        expect(await cluster.output(liar.name)).toContain('parley members replace')
        await recovered()
        // As the message says: an empty directory comes back under a new id.
        for (const file of await readdir(liar.data)) {
          await rm(join(liar.data, file), { recursive: true })
        }
        await cluster.start(liar.name, { flags: SMALL })
        await cluster.healthy(60_000)
        await recovered()
      },
    })
    figures('one liar', 1, report)
    expect(report.violations).toEqual([])
    expect(report.acknowledged).toBe(report.sent)
  })
})
