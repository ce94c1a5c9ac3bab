import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { FailpointName } from '#cluster'
import { runDrill } from './kill-drill.ts'
import { ProcessCluster } from './process-cluster.ts'

/** Deaths at each place; the long form sets five. */
const DEATHS = Number(process.env['PARLEY_DRILL_DEATHS'] ?? 1)

/** Places that load alone leads to, and how often at most a process passes by before it ends there. */
const UNDER_LOAD: Partial<Record<FailpointName, number>> = {
  'leader.appendedUnsent': 100,
  'leader.oneAck': 100,
  'leader.committedUnanswered': 100,
  'replica.votePersisted': 1,
  'log.batchHalfWritten': 100,
  'log.batchWritten': 100,
  'log.segmentNamed': 3,
  'checkpoint.unsealed': 3,
  'checkpoint.sealed': 3,
  'transport.halfFrame': 100,
  'gateway.halfAnswer': 100,
  'gateway.halfPush': 100,
}

/** Places on the way back of a member without its data. */
const WITHOUT_DATA: Partial<Record<FailpointName, number>> = {
  'membership.configurationAppended': 1,
  'snapshot.verified': 1,
  'snapshot.activated': 1,
}

const SMALL = ['--log-segment-bytes', '65536', '--checkpoint-bytes', '50000']

let cluster: ProcessCluster
afterEach(() => cluster.close())

/** Nodes that are armed with every place where too few have died yet, life after life. */
class Doomed {
  readonly #left: Map<string, number>
  readonly #passes: ReadonlyMap<string, number>
  readonly #seen = new Map<string, number>()
  /** So far. */
  deaths = 0

  constructor(places: Partial<Record<FailpointName, number>>, deaths: number) {
    this.#passes = new Map(Object.entries(places))
    this.#left = new Map(Object.keys(places).map((name) => [name, deaths]))
  }

  get left(): string[] {
    return [...this.#left.keys()]
  }

  async start(name: string): Promise<void> {
    const draw = (place: string) => 1 + Math.floor(Math.random() * this.#passes.get(place)!)
    const failpoints = this.left.map((place) => `${place}=${draw(place)}`).join(',')
    this.#seen.set(name, (await this.#places(name)).length)
    await cluster.start(name, { flags: SMALL, ...(failpoints === '' ? {} : { failpoints }) })
  }

  /** Whoever has died comes back. */
  async revive(): Promise<void> {
    for (const { name, process: child, exit } of cluster.nodes) {
      if (child !== null) continue
      const [place, ...others] = (await this.#places(name)).slice(this.#seen.get(name))
      if (exit?.signal !== 'SIGKILL' || place === undefined || others.length > 0) {
        throw new Error(`${name} ended at no such place: ${JSON.stringify(exit)}`)
      }
      this.deaths += 1
      const left = this.#left.get(place) ?? 0
      if (left > 1) this.#left.set(place, left - 1)
      else this.#left.delete(place)
      await this.start(name)
    }
  }

  /** All that the node's processes said of where they ended. */
  async #places(name: string): Promise<string[]> {
    const output = await cluster.output(name).catch(() => '')
    return [...output.matchAll(/^failpoint (\S+)$/gm)].map(([, place]) => place!)
  }
}

test('[M-49] nodes that end at their worst moments lose, double and reorder nothing', async () => {
  cluster = await ProcessCluster.create(3)
  await cluster.startAll({ flags: SMALL })
  await cluster.healthy()
  const names = cluster.nodes.map(({ name }) => name)
  const goOn = async (doomed: Doomed) => {
    let [deaths, lastMs] = [0, performance.now()]
    while (doomed.left.length > 0) {
      if (doomed.deaths > deaths) [deaths, lastMs] = [doomed.deaths, performance.now()]
      if (performance.now() > lastMs + 120_000) {
        throw new Error(`nobody died at ${doomed.left.join()}`)
      }
      await doomed.revive()
      await sleep(20)
    }
  }
  const report = await runDrill({
    cluster,
    senders: 20,
    conversations: 10,
    thinkMs: 20,
    harm: async ({ recovered }) => {
      const loaded = new Doomed(UNDER_LOAD, DEATHS)
      for (const name of names) {
        await cluster.kill(name)
        await loaded.start(name)
      }
      await goOn(loaded)
      // Whoever is still armed must not die of it while a disk is missing.
      for (const name of names) {
        await cluster.kill(name)
        await cluster.start(name, { flags: SMALL })
      }
      const leader = await cluster.healthy()
      await recovered()
      const lost = cluster.nodes.find(({ name }) => name !== leader)!
      // A snapshot is taken over once: each death there needs a disk that is lost again.
      for (let death = 0; death < DEATHS; death += 1) {
        const bereft = new Doomed(WITHOUT_DATA, 1)
        await cluster.kill(lost.name)
        await rm(lost.data, { recursive: true })
        for (const name of names) {
          await cluster.kill(name)
          await bereft.start(name)
        }
        await goOn(bereft)
        await recovered()
      }
    },
  })
  expect(report.violations).toEqual([])
  expect(report.acknowledged).toBe(report.sent)
  expect(report.duplicatesAnswered).toBe(report.repeats)
}, 600_000)
