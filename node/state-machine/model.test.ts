import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '#cluster'
import { type Command, isKeyed, type KeyedCommand } from './commands.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'
import type { StateLimits } from './limits.ts'
import { Model, type ModelAnswer, type ModelEvent } from './model.ts'
import {
  batch,
  create,
  cursors,
  edit,
  Machine,
  message,
  operation,
  PacedDirectory,
  react,
  recall,
  refuse,
  remove,
  push,
  reached,
  revoke,
  setting,
} from './testing.ts'
import {
  type ConversationEvent,
  type ConversationView,
  EventKind,
  type EventPage,
  type ListPosition,
  type StateReader,
  type WriteResult,
} from './types.ts'

const WINDOW_MS = 1_500
const GROUP_MEMBERS = 3
const USERS = ['ann', 'ben', 'cy', 'dee']
/** Stands for the msgId of the user's latest write. */
const LATEST = 'latest'
const settings = {
  windowMs: WINDOW_MS,
  groupMembers: GROUP_MEMBERS,
  largeAbove: 2,
  smallBelow: 2,
}
/** So little memory that nearly everything is read back. */
const TINY: Partial<StateLimits> = {
  conversations: 1,
  inboxes: 1,
  receiptBlocks: 0,
  amendmentBlocks: 0,
  pushBlocks: 0,
  hotBytes: 0,
  verdicts: 0,
  chunkBytes: 300,
}

const user = fc.constantFrom(...USERS)
const msgId = fc.integer({ min: 1, max: 80 }).map((n) => `m${n}`)
const group = fc
  .tuple(fc.constantFrom('ann', 'ben'), fc.constantFrom('m1', 'm2'))
  .map(([owner, id]) => groupConversationId(owner, id))
const direct = fc.tuple(user, user).map(([a, b]) => directConversationId(a, b))
const conv = fc.oneof({ weight: 5, arbitrary: group }, { weight: 1, arbitrary: direct })
const common = fc.record({
  user,
  msgId,
  device: fc.constantFrom('phone', 'laptop'),
  prev: fc.oneof(
    { weight: 8, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: fc.constant(LATEST) },
    { weight: 1, arbitrary: msgId },
  ),
  /** How far back of the log time of its batch. */
  since: fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    { weight: 3, arbitrary: fc.integer({ min: -50, max: 900 }) },
    { weight: 1, arbitrary: fc.integer({ min: 900, max: 1_500 }) },
  ),
})
const seq = fc.integer({ min: 1, max: 14 })
const role = fc.constantFrom('owner', 'admin', 'member')
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        common,
        fc.oneof(conv, user),
        fc.constantFrom('x', 'y'),
        fc.oneof(
          { weight: 4, arbitrary: fc.constant(null) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 12 }) },
        ),
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
                  : as === 'admin'
                    ? { op: 'set', retention: { maxCount: 9 } }
                    : { op: 'set', name: member, history: as !== 'member' },
        ),
      ),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(common, conv, seq, fc.constantFrom('edit', 'edit', 'recall', 'react'))
      .map(([fields, id, target, what]) => {
        const place = { ...fields, conv: id, target }
        if (what === 'react') return react({ ...place, reaction: '+1' })
        return what === 'edit' ? edit({ ...place, body: `edited ${fields.msgId}` }) : recall(place)
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(common, user, fc.constantFrom('block' as const, 'unblock' as const))
      .map(([fields, member, op]) => operation(fields, { op, member })),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.tuple(conv, seq).map(([from, upTo]) => remove({ op: 'truncate', from, upTo })),
      fc
        .tuple(conv, fc.uniqueArray(seq, { minLength: 1, maxLength: 4 }))
        .map(([from, seqs]) => remove({ op: 'expire', from, seqs: seqs.sort((a, b) => a - b) })),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(common, fc.oneof(conv, fc.constant('')), fc.constantFrom('CANCELLED', 'FORBIDDEN'))
      .map(([fields, id, code]) => refuse({ ...fields, conv: id }, code)),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.constantFrom(999, 1_000, 1_500, 3_000).map((windowMs) => setting({ windowMs })),
      fc.constantFrom(1, 2, 3, 4).map((groupMembers) => setting({ groupMembers })),
      fc
        .tuple(user, fc.option(fc.constantFrom('phone', 'laptop')), fc.nat(9))
        .map(([of, device, before]) => revoke(of, device, before)),
    ),
  },
)
const pushed = fc
  .tuple(user, fc.constantFrom('phone', 'laptop'), fc.nat(9))
  .chain(([of, on, n]) =>
    fc.constantFrom(
      push(of, on, { op: 'subscribe', target: { kind: 'webhook', endpoint: `e${n % 2}` } }),
      push(of, on, { op: 'claim', inbox: n }),
      push(of, on, { op: 'done', inbox: n }),
      push(of, on, { op: 'seen' }),
      push(of, on, { op: 'unsubscribe', endpoint: n === 0 ? null : `e${n % 2}` }),
      reached(of, on, n),
    ),
  )
/** Acks of a node's clients: of any user in any conversation, of this entry too. */
const acks = fc
  .array(
    fc.tuple(
      user,
      conv,
      fc.constantFrom('delivered' as const, 'read' as const),
      fc.integer({ min: 1, max: 14 }),
      fc.constantFrom('phone', 'laptop'),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((each) => cursors(...each))
/** Sends again what was sent so many commands ago. */
const copy = fc.integer({ min: 1, max: 30 }).map((ago) => ({ ago }))
const step = fc.record({
  commands: fc.array(
    fc.oneof(
      { weight: 9, arbitrary: command },
      { weight: 2, arbitrary: acks },
      { weight: 2, arbitrary: pushed },
      { weight: 3, arbitrary: copy },
    ),
    {
      minLength: 1,
      maxLength: 8,
      size: 'max',
    },
  ),
  passedMs: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 60 }) },
    { weight: 1, arbitrary: fc.constant(600) },
  ),
  wall: fc.integer({ min: 1, max: 10_000 }),
  /** Values that a cut under way may write until the next entry. */
  pulls: fc.integer({ min: 0, max: 6 }),
  after: fc.constantFrom('nothing', 'nothing', 'checkpoint', 'freeze', 'crash'),
})

/** Entries whose `since` are made absolute, with the times that their leader stamped. */
function entriesOf(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) {
  let time = 5_000
  const sent: Command[] = []
  const begin = create({ user: 'ann', msgId: 'm1' }, 'ben')
  return steps.map(({ commands, passedMs, wall }, i) => {
    time += passedMs
    const stamped = [...(i === 0 ? [begin] : []), ...commands].map((each) => {
      const made = 'ago' in each ? sent.at(-each.ago) : each
      const fresh = made ?? begin
      if (!isKeyed(fresh.kind)) return fresh
      const of = sent.findLast(({ user }) => user === fresh.user)
      const prev = fresh.prev === LATEST ? (of?.msgId ?? null) : fresh.prev
      const isCopy = 'ago' in each && made !== undefined
      const since = fresh.since === null || isCopy ? fresh.since : time - fresh.since
      const command = { ...fresh, prev, since } as KeyedCommand
      sent.push(command)
      return command
    })
    return { entry: batch(i + 1, time, stamped, wall), commands: stamped, time, wall }
  })
}

const short = (result: WriteResult): ModelAnswer =>
  result.ok
    ? { conv: result.conv, seq: result.seq, at: result.at, duplicate: result.duplicate }
    : { code: result.code }

function plain(event: ConversationEvent): ModelEvent {
  const { seq, ord, at, kind, from, msgId, target, edited, recalled, expired } = event
  const says = kind === EventKind.message || kind === EventKind.edit
  const body = says && event.body !== null ? Buffer.from(event.body).toString('hex') : null
  const named = kind === EventKind.edit ? 'edit' : says ? 'message' : 'other'
  const what = { edited, recalled, expired }
  return { seq, ord, at, kind: named, from, msgId, body, target, ...what }
}

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
    expect(view.large).toBe(model.inboxes.isLarge(id))
    const receipts = (await reader.receiptsOf(id))!
    const there = [...members].filter(([, { intervals }]) => intervals.at(-1)![1] === Infinity)
    const cursorsOfThere = there.map(([name]) => ({ user: name, ...model.cursors(id, name) }))
    expect(receipts).toHaveLength(there.length)
    expect(receipts).toEqual(
      expect.arrayContaining(cursorsOfThere.map((each) => expect.objectContaining(each) as object)),
    )
    for (const name of USERS) {
      const present = members.get(name)?.intervals.at(-1)![1] === Infinity
      expect(await reader.isMember(id, name)).toBe(present)
      expect(await reader.wasMember(id, name)).toBe(members.has(name))
      const seen = await readAll(reader, id, name, 3)
      expect(seen.map(plain)).toEqual(model.visible(id, name))
      expect(await reader.cursorsOf(id, name)).toEqual(model.cursors(id, name))
    }
  }
  for (const name of USERS) {
    const { conversations: views, next } = await reader.conversationsOf(name, 100)
    expect(next).toBeNull()
    if (name === USERS[0]) expect(await listed(reader, name, 3)).toEqual(views)
    const heads = views.map(({ id, large, head, ord }) => ({ id, large, head, ord }))
    expect(await reader.headsOf(name, 100)).toEqual(heads)
    expect(await reader.headsOf(name, 1)).toEqual(heads.slice(0, 1))
    const ids = views.map(({ id }) => id)
    const expected = [...model.conversations].filter(([, { members }]) => members.has(name))
    expect(ids.sort()).toEqual(expected.map(([id]) => id).sort())
  }
}

async function compareInboxes({ machine }: Machine, model: Model): Promise<void> {
  const { reader } = machine
  for (const name of USERS) {
    const expected = model.inboxes.entries(name)
    expect(await reader.inboxHead(name)).toBe(expected.length)
    const found: [string, number][] = []
    for (let after = 0, more = true; more;) {
      const page = await reader.inboxAfter(name, after, 3)
      expect([page.gap, page.upTo]).toEqual([null, expected.length])
      for (const { inbox, conv: id, seq, event } of page.entries) {
        expect(inbox).toBe(found.push([id, seq]))
        const seen = model.visible(id, name).find((each) => each.seq === seq) ?? null
        expect(event && plain(event)).toEqual(seen)
      }
      after = page.next
      more = page.hasMore
    }
    expect(found).toEqual(expected)
    const lastOf = (id: string) =>
      model.conversations.get(id)!.members.get(name)!.intervals.at(-1)![1]
    const heads = await reader.largeHeads(name)
    expect(heads).toHaveLength(model.inboxes.heads(name, lastOf).length)
    expect(heads).toEqual(expect.arrayContaining(model.inboxes.heads(name, lastOf)))
  }
}

async function compareRevoked(machine: Machine, model: Model): Promise<void> {
  for (const name of USERS) {
    const ofAll = model.revoked.get(`${name} `) ?? 0
    for (const device of [null, 'phone', 'laptop']) {
      const expected = Math.max(ofAll, model.revoked.get(`${name} ${device ?? ''}`) ?? 0)
      expect(await machine.machine.reader.revokedBefore(name, device)).toBe(expected)
    }
  }
}

async function comparePush(machine: Machine, model: Model): Promise<void> {
  for (const name of USERS) {
    expect(await machine.machine.reader.pushSubscriptions(name)).toEqual(model.push.of(name))
  }
}

async function reopen(directory: PacedDirectory, entries: readonly Entry[]): Promise<Machine> {
  const machine = await Machine.open({
    directory: new PacedDirectory(directory.inner.reopened()),
    settings,
    limits: TINY,
  })
  for (const entry of entries.slice(machine.machine.appliedIndex)) await machine.apply(entry)
  return machine
}

describe('against the model', () => {
  test('[M-25] [A2] [A3] [A4] [A5] [A7] [B3] [B5] [B7] [B9] [K3] [K4] [K5] every answer, hash and read agrees, with all or no memory, over crashes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
        async (steps) => {
          const model = new Model(settings)
          const roomy = await Machine.open({ settings })
          let tiny = await Machine.open({ settings, limits: TINY, directory: new PacedDirectory() })
          const history = entriesOf(steps)
          const entries = history.map(({ entry }) => entry)
          const paced = () => tiny.directory as PacedDirectory
          for (const [i, { entry, commands, time, wall }] of history.entries()) {
            model.entry(time)
            const expected = commands.map((each) => model.apply(each, wall))
            expect((await roomy.apply(entry)).map(short)).toEqual(expected)
            expect(await tiny.apply(entry)).toEqual(roomy.results.slice(-commands.length))
            expect(tiny.machine.reader.stateHash).toBe(roomy.machine.reader.stateHash)
            const { after, pulls } = steps[i]!
            switch (after) {
              case 'checkpoint':
                paced().allow(Infinity)
                await tiny.machine.checkpoint()
                break
              case 'freeze':
                // The cut is written a little at a time while the next entries are applied.
                void tiny.machine.checkpoint()
                paced().allow(pulls)
                break
              case 'crash':
                tiny = await reopen(tiny.directory as PacedDirectory, entries.slice(0, i + 1))
                expect(tiny.machine.reader.stateHash).toBe(roomy.machine.reader.stateHash)
                break
              case 'nothing':
                paced().allow(pulls)
            }
          }
          await compareReads(roomy, model)
          await compareReads(tiny, model)
          paced().allow(Infinity)
          await tiny.machine.checkpoint()
          await compareReads(tiny, model)
          await compareInboxes(roomy, model)
          await compareInboxes(tiny, model)
          await compareRevoked(roomy, model)
          await compareRevoked(tiny, model)
          await comparePush(roomy, model)
          await comparePush(tiny, model)
          expect(tiny.machine.reader.settings).toEqual(roomy.machine.reader.settings)
          await tiny.machine.close()
        },
      ),
      { numRuns: 60 },
    )
  })
})

/** The whole list, by pages. */
async function listed(reader: StateReader, user: string, limit: number) {
  const all: ConversationView[] = []
  for (let after: ListPosition | null = null; ;) {
    const page = await reader.conversationsOf(user, limit, after)
    all.push(...page.conversations)
    if (page.next === null) return all
    after = page.next
  }
}
