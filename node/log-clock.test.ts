import { expect, test } from 'vitest'
import type { Clock } from '#cluster'
import { LogClock } from './log-clock.ts'
import { Machine, message } from './state-machine/testing.ts'

const HOUR = 60 * 60 * 1000
const YEAR = 366 * 24 * HOUR

/** The clocks of one node, which may lie. */
class NodeClocks implements Clock {
  wall: number
  monotonic: number

  constructor(wall: number, monotonic: number) {
    this.wall = wall
    this.monotonic = monotonic
  }

  wallMs = (): number => this.wall
  monotonicMs = (): number => this.monotonic
  after = (): never => {
    throw new Error('log time waits for nothing')
  }
  defer = (): never => {
    throw new Error('log time waits for nothing')
  }

  pass(ms: number): void {
    this.wall += ms
    this.monotonic += ms
  }
}

/** A cluster as far as log time goes: leaders stamp, one machine applies. */
async function cluster(...nodes: NodeClocks[]) {
  const machine = await Machine.open()
  const clocks = nodes.map((clock) => ({ clock, log: new LogClock(clock) }))
  let leader = clocks[0]!
  return {
    machine,
    lead(at: number) {
      leader = clocks[at]!
      leader.log.anchor(machine.machine.logTime)
    },
    pass(ms: number) {
      for (const { clock } of clocks) clock.pass(ms)
    },
    write: (since: number | null = null, msgId = 'm') =>
      machine.one(leader.log.nowMs(), message({ user: 'ann', to: 'ben', msgId, since })),
  }
}

const DAY = 24 * HOUR

test('[M-59] at 23:59 a retry is answered with the first result, at 24:01 it is too old, on skewed clocks', async () => {
  const nodes = [new NodeClocks(0, 500), new NodeClocks(5 * YEAR, 9), new NodeClocks(-YEAR, 77)]
  const on = await cluster(...nodes)
  on.lead(0)
  on.pass(HOUR)
  const first = await on.write(0)
  expect(first).toMatchObject({ ok: true, duplicate: false, now: HOUR })
  on.lead(1)
  on.pass(DAY - 60_000)
  expect(await on.write(0)).toMatchObject({ ok: true, seq: 1, duplicate: true })
  on.lead(2)
  on.pass(120_000)
  expect(await on.write(0)).toMatchObject({ ok: false, code: 'WINDOW_EXPIRED' })
  expect(on.machine.events.length).toBe(1)
})

test('[M-59] a leader whose wall clock jumps a year ahead lets no key expire', async () => {
  const clock = new NodeClocks(1_000_000, 0)
  const on = await cluster(clock, new NodeClocks(2_000_000, 50))
  on.lead(0)
  await on.write(0)
  clock.wall += YEAR
  on.pass(HOUR)
  expect(await on.write(0)).toMatchObject({ ok: true, seq: 1, duplicate: true })
  on.lead(1)
  expect(await on.write(0)).toMatchObject({ ok: true, seq: 1, duplicate: true })
  clock.wall -= 3 * YEAR
  on.lead(0)
  expect(await on.write(0)).toMatchObject({ ok: true, seq: 1, duplicate: true })
  expect(on.machine.machine.logTime).toBe(HOUR)
})

test('[M-59] while nobody leads no key expires', async () => {
  const on = await cluster(new NodeClocks(0, 0))
  on.lead(0)
  await on.write(0)
  on.pass(3 * DAY)
  on.lead(0)
  expect(await on.write(0)).toMatchObject({ ok: true, seq: 1, duplicate: true })
})
