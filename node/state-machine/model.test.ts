import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '#cluster'
import type { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import type { Command } from './commands.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import type { StateLimits } from './limits.ts'
import { Model, type ModelAnswer } from './model.ts'
import { batch, create, Machine, message, operation, refuse } from './testing.ts'
import type { EventPage, StateReader, WriteResult } from './types.ts'

const WINDOW_MS = 1_000
const GROUP_MEMBERS = 4
const USERS = ['ann', 'ben', 'cy', 'dee', 'eli']
const settings = { windowMs: WINDOW_MS, groupMembers: GROUP_MEMBERS }
/** So little memory that nearly everything is read back. */
const TINY: Partial<StateLimits> = { conversations: 1, hotBytes: 0, verdicts: 0, chunkBytes: 300 }

const user = fc.constantFrom(...USERS)
const msgId = fc.integer({ min: 1, max: 12 }).map((n) => `m${n}`)
const group = fc
  .tuple(fc.constantFrom('ann', 'ben'), fc.constantFrom('m1', 'm2'))
  .map(([owner, id]) => groupConversationId(owner, id))
const direct = fc.tuple(user, user).map(([a, b]) => directConversationId(a, b))
const conv = fc.oneof({ weight: 3, arbitrary: group }, { weight: 1, arbitrary: direct })
const common = fc.record({
  user,
  msgId,
  device: fc.constantFrom('phone', 'laptop'),
  prev: fc.option(msgId, { freq: 3 }),
  /** How far back of the log time of its batch. */
  since: fc.option(fc.integer({ min: -50, max: 1_500 }), { freq: 3 }),
})
const role = fc.constantFrom('owner', 'admin', 'member')
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        common,
        fc.oneof(conv, user),
        fc.constantFrom('x', 'y'),
        fc.option(fc.integer({ min: 0, max: 6 }), { freq: 4 }),
      )
      .map(([fields, target, body, replyTo]) => {
        const where = USERS.includes(target) ? { to: target } : { conv: target }
        return message({ ...fields, ...where, body, replyTo })
      }),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(common, fc.array(user, { maxLength: 4 }))
      .map(([fields, members]) =>
        create({ ...fields, msgId: members.length < 2 ? 'm1' : 'm2' }, ...members),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(common, user)
      .map(([fields, other]) => operation(fields, { op: 'direct', with: other })),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(common, conv, user, role, fc.integer({ min: 0, max: 4 }))
      .map(([fields, id, member, as, op]) =>
        operation(
          { ...fields, conv: id },
          op === 0
            ? { op: 'add', member, role: as === 'owner' ? 'member' : as }
            : op === 1
              ? { op: 'remove', member }
              : op === 2
                ? { op: 'role', member, role: as }
                : op === 3
                  ? { op: 'leave' }
                  : { op: 'set', name: member },
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(common, fc.oneof(conv, fc.constant('')), fc.constantFrom('CANCELLED', 'FORBIDDEN'))
      .map(([fields, id, code]) => refuse({ ...fields, conv: id }, code)),
  },
)
const step = fc.record({
  commands: fc.array(command, { minLength: 1, maxLength: 5 }),
  passedMs: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(600)),
  wall: fc.integer({ min: 1, max: 10_000 }),
  then: fc.constantFrom('nothing', 'nothing', 'checkpoint', 'freeze', 'crash'),
})

/** Entries whose `since` are made absolute, with the times that their leader stamped. */
function entriesOf(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) {
  let time = 5_000
  return steps.map(({ commands, passedMs, wall }, i) => {
    time += passedMs
    const stamped = commands.map((each) => {
      return each.since === null ? each : { ...each, since: time - each.since }
    })
    return { entry: batch(i + 1, time, stamped, wall), commands: stamped, time, wall }
  })
}

const short = (result: WriteResult): ModelAnswer =>
  result.ok
    ? { conv: result.conv, seq: result.seq, at: result.at, duplicate: result.duplicate }
    : { code: result.code }

/** Everything the user sees, page by page, each way; gaps are checked to fill up the rest. */
async function readAll(reader: StateReader, id: string, of: string, limit: number) {
  const forward: EventPage['events'][number][] = []
  const covered: number[] = []
  const cover = ({ events, gap }: EventPage) => {
    for (const { seq } of events) covered.push(seq)
    if (gap !== null) for (let seq = gap.from; seq <= gap.to; seq += 1) covered.push(seq)
  }
  for (let after = 0, more = true; more;) {
    const page = (await reader.eventsAfter(id, of, after, limit))!
    cover(page)
    forward.push(...page.events)
    expect(page.upTo).toBe(page.next)
    after = page.next
    more = page.hasMore
  }
  const head = covered.length
  expect([...covered].sort((a, b) => a - b)).toEqual(Array.from({ length: head }, (_, i) => i + 1))
  covered.length = 0
  const backward: EventPage['events'][number][] = []
  for (let before = head + 1, more = true; more;) {
    const page = (await reader.eventsBefore(id, of, before, limit))!
    cover(page)
    backward.unshift(...page.events)
    before = page.next
    more = page.hasMore
  }
  expect([...covered].sort((a, b) => a - b)).toEqual(Array.from({ length: head }, (_, i) => i + 1))
  expect(backward).toEqual(forward)
  return forward
}

async function compareReads(machine: Machine, model: Model): Promise<void> {
  const { reader } = machine.machine
  for (const [id, { events, createdAt, kind, members }] of model.conversations) {
    const view = (await reader.conversation(id))!
    expect(view).toMatchObject({ id, kind, createdAt, head: events.length })
    for (const name of USERS) {
      const present = members.get(name)?.intervals.at(-1)![1] === Infinity
      expect(await reader.isMember(id, name)).toBe(present)
      const seen = await readAll(reader, id, name, 3)
      const plain = seen.map(({ seq, ord, at, from, msgId: m }) => ({
        seq,
        ord,
        at,
        from,
        msgId: m,
      }))
      expect(plain).toEqual(model.visible(id, name))
    }
  }
  for (const name of USERS) {
    const listed = (await reader.conversationsOf(name, 100)).map(({ id }) => id)
    const expected = [...model.conversations].filter(([, { members }]) => members.has(name))
    expect(listed.sort()).toEqual(expected.map(([id]) => id).sort())
  }
}

async function reopen(
  directory: MemoryStoreDirectory,
  entries: readonly Entry[],
): Promise<Machine> {
  const machine = await Machine.open({ directory: directory.reopened(), settings, limits: TINY })
  for (const entry of entries.slice(machine.machine.appliedIndex)) await machine.apply(entry)
  return machine
}

describe('against the model', () => {
  test('A2 A3 A4 A5 A7 B7 K3 K4 K5 every answer, hash and read agrees, with all or no memory, over crashes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const model = new Model(WINDOW_MS, GROUP_MEMBERS)
        const roomy = await Machine.open({ settings })
        let tiny = await Machine.open({ settings, limits: TINY })
        const history = entriesOf(steps)
        const entries = history.map(({ entry }) => entry)
        for (const [i, { entry, commands, time, wall }] of history.entries()) {
          const expected = commands.map((each) => model.apply(each, time, wall))
          expect((await roomy.apply(entry)).map(short)).toEqual(expected)
          expect(await tiny.apply(entry)).toEqual(roomy.results.slice(-commands.length))
          expect(tiny.machine.reader.stateHash).toBe(roomy.machine.reader.stateHash)
          switch (steps[i]!.then) {
            case 'checkpoint':
              await tiny.machine.checkpoint()
              break
            case 'freeze':
              // The cut is written while the next entries are applied.
              void tiny.machine.checkpoint()
              break
            case 'crash':
              tiny = await reopen(tiny.directory as MemoryStoreDirectory, entries.slice(0, i + 1))
              expect(tiny.machine.reader.stateHash).toBe(roomy.machine.reader.stateHash)
              break
            case 'nothing':
          }
        }
        await compareReads(roomy, model)
        await compareReads(tiny, model)
        await tiny.machine.checkpoint()
        await compareReads(tiny, model)
        await tiny.machine.close()
      }),
      { numRuns: 150 },
    )
  }, 60_000)
})
