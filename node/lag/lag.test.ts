import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Clock } from '#cluster'
import { groupConversationId } from '../state-machine/conversation-id.ts'
import { create, cursors, Machine, message, reached } from '../state-machine/testing.ts'
import type { StateReader } from '../state-machine/types.ts'
import { ConversationSurvey } from './conversation-survey.ts'
import { InboxSurvey } from './inbox-survey.ts'
import { LagSurveys } from './surveys.ts'
import { TopList } from './top-list.ts'

const users = Array.from({ length: 300 }, (_, i) => `user${i}`)
const room = (i: number) => groupConversationId(`user${i}`, 'g')

/**
 * Three hundred rooms of three neighbours; in room `i` its owner says `i % 7` things, and of user `i`
 * his phone has acknowledged `i % 4` events of his inbox.
 */
async function talk(): Promise<Machine> {
  const m = await Machine.open()
  for (const [i, user] of users.entries()) {
    const others = [users[(i + 1) % 300]!, users[(i + 2) % 300]!]
    await m.one(1_000, create({ user, msgId: 'g' }, ...others))
    for (let n = 0; n < i % 7; n += 1) {
      await m.one(2_000 + i, message({ user, msgId: `m${n}`, conv: room(i) }))
    }
  }
  for (const [i, user] of users.entries()) {
    if (i % 4 > 0) await m.one(10_000 + i, reached(user, 'phone', i % 4))
  }
  return m
}

/** In memory alone, half in the store, and as a node that starts anew has it. */
async function everyWay(): Promise<Machine[]> {
  const hot = await talk()
  const cold = await talk()
  await cold.machine.checkpoint()
  const half = await talk()
  await half.machine.checkpoint()
  const late = create({ user: 'late', msgId: 'g' }, 'later')
  for (const m of [hot, half]) await m.one(20_000, late)
  const limits = { conversations: 10, inboxes: 10, receiptBlocks: 10 }
  const anew = await Machine.open({ directory: cold.directory, limits })
  await anew.one(20_000, late)
  return [hot, half, anew]
}

/** The same state, some of which is read otherwise. */
function instead(state: StateReader, other: Partial<StateReader>): StateReader {
  return new Proxy(state, {
    get: (target, name) => {
      const value: unknown = Reflect.get(other, name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function whole<T extends { step(): Promise<boolean> }>(survey: T): Promise<T> {
  while (await survey.step());
  return survey
}

describe('a survey', () => {
  test('[WB1] [WB4] finds the users and devices that are furthest behind, of all there are', async () => {
    for (const { machine } of await everyWay()) {
      const { reader } = machine
      const survey = await whole(new InboxSurvey(reader, null))
      expect([survey.looked, survey.total]).toEqual([302, 302])
      const heads = new Map<string, number>()
      for (const user of [...users, 'late', 'later']) {
        heads.set(user, (await reader.inboxHead(user))!)
      }
      const acked = (user: string) => Number(/\d+$/.exec(user)?.[0] ?? 0) % 4
      const all = [...heads].map(([user, head]) => ({ user, behind: head - acked(user) }))
      const most = all.map(({ behind }) => behind).sort((a, b) => b - a)
      expect(survey.users.rows.map(({ behind }) => behind)).toEqual(most.slice(0, 100))
      for (const row of survey.users.rows) {
        expect(row).toMatchObject({ head: heads.get(row.user), inbox: acked(row.user) })
        expect([row.seen === null, row.devices]).toEqual(
          acked(row.user) === 0 ? [true, 0] : [false, 1],
        )
      }
      const phones = all.filter(({ user }) => acked(user) > 0).map(({ behind }) => behind)
      expect(survey.devices.rows.map(({ behind }) => behind)).toEqual(
        phones.sort((a, b) => b - a).slice(0, 100),
      )
      expect(survey.devices.rows[0]).toMatchObject({ device: 'phone' })
      // Only who was heard of lately.
      const lately = await whole(new InboxSurvey(reader, 10_290))
      const names = new Set(lately.devices.rows.map(({ user }) => user))
      expect(names).toEqual(
        new Set([290, 291, 293, 294, 295, 297, 298, 299].map((i) => `user${i}`)),
      )
      expect(new Set(lately.users.rows.map(({ user }) => user))).toEqual(names)
    }
  })

  test('[WB4] misses nobody whom a checkpoint writes behind its back', async () => {
    const m = await talk()
    const survey = new InboxSurvey(m.machine.reader, null)
    // In the order of the keys he comes first; by the time that the store is read he is there.
    await m.one(20_000, create({ user: 'a', msgId: 'g' }))
    for (let n = 0; n < 50; n += 1) {
      await m.one(
        20_000,
        message({ user: 'a', msgId: `m${n}`, conv: groupConversationId('a', 'g') }),
      )
    }
    await survey.step()
    await m.machine.checkpoint()
    await whole(survey)
    expect(survey.users.rows[0]).toMatchObject({ user: 'a', behind: 51, inbox: 0 })
  })

  test('[WB1] finds the conversations whose members lack most, large ones too', async () => {
    const m = await Machine.open()
    const conv = groupConversationId('alice', 'big')
    const first = Array.from({ length: 499 }, (_, i) => `user${i}`)
    await m.one(1, create({ user: 'alice', msgId: 'big' }, ...first))
    const add = (member: string, n: number) => ({
      ...create({ user: 'alice', msgId: `a${n}` }),
      conv,
      operation: { op: 'add' as const, member, role: 'member' as const },
    })
    for (let n = 499; n < 700; n += 1) await m.one(2, add(`user${n}`, n) as never)
    const all = [...first, ...Array.from({ length: 201 }, (_, i) => `user${499 + i}`), 'alice']
    await m.one(3, cursors(...all.map((user) => [user, conv, 'delivered', 200] as const)))
    await m.one(3, cursors(['user650', conv, 'delivered', 202], ['user3', conv, 'read', 202]))
    for (let i = 0; i < 30; i += 1) {
      await m.one(4, message({ user: `user${i}`, to: 'zoe', msgId: 'd', body: 'x' }))
    }
    await m.machine.checkpoint()
    const limits = { conversations: 1, members: 10, receiptBlocks: 1 }
    for (const { machine } of [m, await Machine.open({ directory: m.directory, limits })]) {
      const survey = await whole(new ConversationSurvey(machine.reader))
      const [big, ...direct] = survey.conversations.rows
      expect(big).toMatchObject({
        ...{ conv, head: 202, memberCount: 701, behind: 2, oldest: 201 },
        ...{ waiting: 699, kind: 'group' },
      })
      // The newest comer saw only the event that let him in.
      expect(big!.undelivered).toBe(698 * 2 + 1)
      expect(direct.map(({ behind, waiting }) => [behind, waiting])).toEqual(
        Array.from({ length: 30 }, () => [1, 2]),
      )
      expect([survey.looked, survey.total]).toEqual([31, 31])
    }
  })
})

test('[WB3] a list holds the rows that are furthest behind, each key as it came last', () => {
  const offers = fc.array(fc.record({ key: fc.nat(30), behind: fc.nat(20) }), { maxLength: 200 })
  fc.assert(
    fc.property(offers, (all) => {
      const list = new TopList<{ key: number; behind: number }>(100, ({ key }) => String(key))
      for (const row of all) list.offer(row)
      const last = new Map(all.map((row) => [row.key, row]))
      const expected = [...last.values()].filter(({ behind }) => behind > 0)
      expect(new Set(list.rows)).toEqual(new Set(expected))
      expect(list.rows.map(({ behind }) => behind)).toEqual(
        expected.map(({ behind }) => behind).sort((a, b) => b - a),
      )
    }),
  )
  const few = new TopList<{ key: number; behind: number }>(3, ({ key }) => String(key))
  for (let key = 0; key < 1_000; key += 1) few.offer({ key, behind: (key * 37) % 1_000 })
  expect(few.rows.map(({ behind }) => behind)).toEqual([999, 998, 997])
})

describe('surveys', () => {
  /** Each look at it takes so long; who waits does so in no time. */
  function busyClock(stepMs: number) {
    const clock = { now: 0, pausedMs: 0, workedMs: 0 }
    const port: Clock = {
      wallMs: () => clock.now,
      monotonicMs: () => {
        clock.workedMs += stepMs
        return (clock.now += stepMs)
      },
      after: (delayMs, run) => {
        clock.now += delayMs
        clock.pausedMs += delayMs
        queueMicrotask(run)
        return { cancel: () => {} }
      },
      defer: (run) => queueMicrotask(run),
    }
    return { clock, port }
  }
  const wanted = { by: 'user', top: 5, seenWithinMs: null } as const

  test('[WB2] one goes on where the last call left it, with pauses, and is then shown for a while', async () => {
    const m = await talk()
    await m.machine.checkpoint()
    const { clock, port } = busyClock(1)
    const surveys = new LagSurveys(port, m.machine.reader)
    let calls = 0
    const looked: number[] = []
    for (let isWhole = false; !isWhole; calls += 1) {
      const report = await surveys.report(wanted, 10)
      looked.push(report.looked)
      ;({ isWhole } = report)
    }
    expect(calls).toBeGreaterThan(2)
    expect(looked).toEqual([...looked].sort((a, b) => a - b))
    expect(looked.at(-1)).toBe(300)
    expect(clock.pausedMs).toBeGreaterThan(0)
    const { rows } = await surveys.report(wanted, 10)
    expect(rows).toHaveLength(5)
    const [first] = rows
    expect(first).toMatchObject({
      user: expect.stringMatching(/^user/),
      oldestAt: expect.any(Number),
    })
    // What is fresh is shown again, then looked at anew; another question is another survey.
    const asked: (string | null)[] = []
    const spying = instead(m.machine.reader, {
      inboxPositions: (after: string | null, limit: number) => {
        asked.push(after)
        return m.machine.reader.inboxPositions(after, limit)
      },
    })
    const slow = busyClock(0)
    const others = new LagSurveys(slow.port, spying)
    const ask = async (more = {}) => {
      const { length } = asked
      await others.report({ ...wanted, ...more }, 1_000)
      return asked.length - length
    }
    const pages = await ask()
    expect(pages).toBe(5)
    expect(await ask({ by: 'device' })).toBe(0)
    expect(await ask({ seenWithinMs: 5 })).toBe(pages)
    slow.clock.now += 2_000
    expect(await ask()).toBe(pages)
  })

  test('[WB2] two who ask at one time wait for one survey; what fails is begun anew', async () => {
    const m = await talk()
    const { reader } = m.machine
    let failures = 0
    let steps = 0
    const state = instead(reader, {
      inboxPositionsOf: (names: readonly string[]) => {
        steps += 1
        if (failures > 0) return Promise.reject(new Error(`damaged ${(failures -= 1)}`))
        return reader.inboxPositionsOf(names)
      },
    })
    const surveys = new LagSurveys(busyClock(0).port, state)
    const both = await Promise.all([surveys.report(wanted, 100), surveys.report(wanted, 100)])
    expect(both[0]).toEqual(both[1])
    const once = steps
    failures = 1
    const recent = { ...wanted, seenWithinMs: 1_000_000 }
    const failed = await Promise.allSettled([
      surveys.report(recent, 100),
      surveys.report(recent, 100),
    ])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await surveys.report(recent, 100)).toMatchObject({ isWhole: true, looked: 300 })
    expect(steps).toBe(2 * once + 1)
  })

  test('[WB3] only so many are kept: one that others pushed out begins anew', async () => {
    const m = await talk()
    await m.machine.checkpoint()
    const surveys = new LagSurveys(busyClock(1).port, m.machine.reader)
    const looked = async (seenWithinMs: number) =>
      (await surveys.report({ ...wanted, seenWithinMs }, 1)).looked
    const first = await looked(1)
    expect(first).toBeLessThan(300)
    for (let within = 2; within <= 6; within += 1) expect(await looked(within)).toBe(first)
    expect(await looked(6)).toBeGreaterThan(first)
    expect(await looked(1)).toBe(first)
  })
})
