import { encodeBody, LIMITS } from '#protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refusalOf } from './forwarded-command.ts'
import { FEATURE_LEVELS } from './state-machine/feature-level.ts'
import { push } from './state-machine/testing.ts'
import { prepareEntry } from './state-machine/prepared-entry.ts'
import { encodeBatch } from './state-machine/batch-codec.ts'
import { decodeCommand, encodeCommand } from './state-machine/command-codec.ts'
import {
  type Command,
  CommandKind,
  type ConversationOperation,
  type CursorAck,
  MAX_CURSORS,
  SYSTEM_HEAD,
} from './state-machine/commands.ts'

const text = (alphabet: string, maxLength: number) =>
  fc
    .array(fc.constantFrom(...alphabet.split('')), { minLength: 1, maxLength })
    .map((letters) => letters.join(''))
const name = text('abzAZ09._:@-', 40)
const printable = text('!~abz/@', 128)
const user = printable
const value = fc.jsonValue({ maxDepth: 2 }).map(encodeBody)
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of)
const common = {
  origin: fc.nat(2 ** 32 - 1),
  request: fc.nat(2 ** 32 - 1),
  user,
  device: name,
  msgId: name,
  prev: optional(name),
  since: optional(fc.nat(2 ** 47)),
}
const cursorKind = fc.constantFrom('delivered' as const, 'read' as const)
const bound = fc.integer({ min: 1, max: 2 ** 47 })
const role = fc.constantFrom('admin' as const, 'member' as const)
/** Null bytes are nil, by which a client removes its metadata: the command says `null`. */
const meta = value.map((bytes) => (bytes[0] === 0xc0 ? null : bytes))
const founding: fc.Arbitrary<ConversationOperation> = fc.oneof(
  fc.record({
    op: fc.constant('create' as const),
    members: fc.array(user, { maxLength: 4 }),
    name: optional(fc.string({ unit: 'grapheme', maxLength: 20 })),
    meta,
  }),
  fc.record({ op: fc.constant('direct' as const), with: user }),
  fc.record({ op: fc.constant('block' as const), member: user }),
  fc.record({ op: fc.constant('unblock' as const), member: user }),
)
const change: fc.Arbitrary<ConversationOperation> = fc.oneof(
  fc.record({ op: fc.constant('add' as const), member: user, role }),
  fc.record({ op: fc.constant('remove' as const), member: user }),
  fc.record({
    op: fc.constant('role' as const),
    member: user,
    role: fc.oneof(role, fc.constant('owner' as const)),
  }),
  fc.record({ op: fc.constant('leave' as const) }),
  fc.record(
    {
      op: fc.constant('set' as const),
      name: optional(fc.string({ maxLength: 20 })),
      meta,
      retention: optional(fc.record({ maxAgeMs: bound, maxCount: bound, maxBytes: bound })),
      history: fc.boolean(),
    },
    { requiredKeys: ['op'] },
  ) as fc.Arbitrary<ConversationOperation>,
)
const fits = (reaction: string) => Buffer.byteLength(reaction) <= 64
/** What gateways forward. */
const WEB = {
  kind: 'web' as const,
  endpoint: 'https://push.example.org/x',
  p256dh: `B${'a'.repeat(86)}`,
  auth: 'b'.repeat(22),
}
const commands: fc.Arbitrary<Command> = fc.oneof(
  fc
    .record({
      ...common,
      target: printable,
      direct: fc.boolean(),
      replyTo: optional(fc.integer({ min: 1, max: 2 ** 47 })),
      large: fc.boolean(),
      body: value,
    })
    .map(({ target, direct, ...rest }): Command => {
      const [conv, to] = direct ? [null, target] : [target, null]
      return { kind: 1, ...rest, conv, to }
    }),
  fc
    .record({ ...common, operation: founding })
    .map((fields): Command => ({ kind: 2, ...fields, conv: '' })),
  fc
    .record({ ...common, operation: change, conv: printable })
    .map((fields): Command => ({ kind: 2, ...fields })),
  fc
    .record({ ...common, conv: printable, target: bound, body: value })
    .map((fields): Command => ({ kind: 4, ...fields })),
  fc
    .record({ ...common, conv: printable, target: bound })
    .map((fields): Command => ({ kind: 5, ...fields })),
  fc
    .record({
      ...common,
      conv: printable,
      target: bound,
      reaction: fc.string({ unit: 'grapheme', maxLength: 8 }).filter(fits),
      on: fc.boolean(),
    })
    .map((fields): Command => ({ kind: 6, ...fields })),
  fc
    .record({
      from: printable,
      seqs: fc.uniqueArray(bound, { minLength: 1, maxLength: 9 }),
      isCut: fc.boolean(),
    })
    .map(({ from, seqs, isCut }): Command => {
      seqs.sort((a, b) => a - b)
      const removal = isCut
        ? ({ op: 'truncate', from, upTo: seqs[0]! } as const)
        : ({ op: 'expire', from, seqs } as const)
      return { kind: 9, ...SYSTEM_HEAD, origin: 1, request: 2, removal }
    }),
  fc
    .record({ ...common, conv: printable, code: fc.constant('CANCELLED' as const) })
    .map((fields): Command => ({ kind: 3, ...fields })),
  fc
    .record({
      origin: common.origin,
      request: common.request,
      conversations: fc.array(
        fc.record({
          conv: printable,
          acks: fc.array(
            fc.record({ user, device: name, kind: cursorKind, upTo: fc.nat().map((n) => n + 1) }),
          ),
        }),
        { maxLength: 4 },
      ),
      inboxes: fc.array(fc.record({ user, device: name, inbox: fc.nat() }), { maxLength: 4 }),
    })
    .map((fields): Command => ({ kind: CommandKind.cursors, ...SYSTEM_HEAD, ...fields })),
  fc
    .tuple(user, name, fc.nat())
    .chain(([of, on, inbox]) =>
      fc.constantFrom(
        push(of, on, { op: 'subscribe', target: WEB }),
        push(of, on, { op: 'unsubscribe', endpoint: null }),
        push(of, on, { op: 'claim', inbox }),
        push(of, on, { op: 'seen' }),
      ),
    ),
)

const subscribe = (change: object) => ({
  op: 'subscribe' as const,
  target: { ...WEB, ...change },
})
const refusal = (command: Uint8Array) => refusalOf(command, LIMITS, FEATURE_LEVELS.max)

/** Whatever is let in is read by apply, and has no second spelling. */
function judge(bytes: Uint8Array): void {
  if (refusal(bytes) !== null) return
  prepareEntry(encodeBatch({ logTime: 1, wallTime: 1 }, [bytes]))
  expect(Buffer.compare(encodeCommand(decodeCommand(bytes)), bytes)).toBe(0)
}

const sample = {
  kind: 1,
  ...{ origin: 1, request: 2, user: 'alice', device: 'd', msgId: 'm', prev: null, since: null },
  ...{ conv: 'c', to: null, replyTo: null, large: false, body: encodeBody('hi') },
} as const
const group = { ...sample, kind: 2 } as const

describe('[A9] what a peer forwards into the log', () => {
  test('is let in if a client of this node could have sent it', () => {
    fc.assert(
      fc.property(commands, (command) => {
        const bytes = encodeCommand(command)
        expect(refusal(bytes)).toBeNull()
        judge(bytes)
      }),
      { numRuns: 500 },
    )
  })

  test('[PF3] changed anywhere, or of any bytes, is refused with a code or read by apply', () => {
    fc.assert(
      fc.property(commands, fc.nat(), fc.nat(255), fc.nat(2), (command, at, change, way) => {
        const bytes = Uint8Array.from(encodeCommand(command))
        const place = at % bytes.length
        if (way === 0) bytes[place] = change
        judge(way === 1 ? bytes.subarray(0, place) : way === 2 ? Uint8Array.of(...bytes, 7) : bytes)
      }),
      { numRuns: 3_000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(12), (rest, kind) => {
        judge(rest)
        judge(Uint8Array.of(kind, 1, ...rest))
      }),
      { numRuns: 2_000 },
    )
  })

  test.each<[string, Partial<Command> & object, string]>([
    ['a user of other characters', { user: 'al ice' }, 'INVALID_MESSAGE'],
    ['no user', { user: '' }, 'INVALID_MESSAGE'],
    ['a user that is too long', { user: 'x'.repeat(129) }, 'INVALID_MESSAGE'],
    ['a device that is too long', { device: 'x'.repeat(41) }, 'INVALID_MESSAGE'],
    ['no msgId', { msgId: '' }, 'INVALID_MESSAGE'],
    ['a msgId of other characters', { msgId: 'm/1' }, 'INVALID_MESSAGE'],
    ['a msgId that is too long', { msgId: 'm'.repeat(65) }, 'INVALID_MESSAGE'],
    ['a prev of other characters', { prev: 'm 1' }, 'INVALID_MESSAGE'],
    ['no conversation', { conv: '' }, 'INVALID_MESSAGE'],
    ['a conversation that is too long', { conv: 'c'.repeat(129) }, 'INVALID_MESSAGE'],
    ['an answer to nothing', { replyTo: 0 }, 'INVALID_MESSAGE'],
    ['no body', { body: new Uint8Array(0) }, 'INVALID_MESSAGE'],
    ['two bodies', { body: Uint8Array.of(1, 2) }, 'INVALID_MESSAGE'],
    ['a body that is too deep', { body: new Uint8Array(80).fill(0x91) }, 'INVALID_MESSAGE'],
    ['a body that is too long', { body: encodeBody('x'.repeat(65_536)) }, 'PAYLOAD_TOO_LARGE'],
  ])('a message with %s is refused', (_, change, code) => {
    expect(refusal(encodeCommand({ ...sample, ...change } as Command))).toBe(code)
  })

  test.each<[string, string, object, string]>([
    ['too many members', '', { op: 'create', members: Array(1_001).fill('u') }, 'INVALID_MESSAGE'],
    ['a member of other characters', '', { op: 'create', members: ['a b'] }, 'INVALID_MESSAGE'],
    ['a name that is too long', '', { op: 'create', name: 'n'.repeat(257) }, 'INVALID_MESSAGE'],
    ['broken metadata', '', { op: 'create', meta: Uint8Array.of(0xc1) }, 'INVALID_MESSAGE'],
    [
      'metadata too deep for the body of its event',
      'g',
      { op: 'set', meta: Buffer.alloc(64, 0x91).fill(0x90, 63) },
      'INVALID_MESSAGE',
    ],
    [
      'metadata that is too long',
      '',
      { op: 'create', meta: encodeBody('x'.repeat(16_384)) },
      'PAYLOAD_TOO_LARGE',
    ],
    ['a conversation that it has yet to make', 'c', { op: 'create' }, 'INVALID_MESSAGE'],
    ['itself under the id of another', 'c', { op: 'direct', with: 'bob' }, 'INVALID_MESSAGE'],
    ['no conversation', '', { op: 'leave' }, 'INVALID_MESSAGE'],
    ['nobody to add', 'c', { op: 'add', member: '', role: 'member' }, 'INVALID_MESSAGE'],
  ])('a group operation with %s is refused', (_, conv, change, code) => {
    const operation = { members: ['bob'], name: null, meta: null, ...change }
    const command = { ...group, conv, operation } as unknown as Command
    expect(refusal(encodeCommand(command))).toBe(code)
  })

  const ack: CursorAck = { user: 'alice', device: 'd', kind: 'read', upTo: 1 }
  test.each<[string, object]>([
    ['a head that names somebody', { user: 'alice' }],
    ['a msgId', { msgId: 'm' }],
    ['a conversation of their own', { conv: 'c' }],
    [
      'a user of other characters',
      { conversations: [{ conv: 'c', acks: [{ ...ack, user: 'a b' }] }] },
    ],
    ['no device', { conversations: [{ conv: 'c', acks: [{ ...ack, device: '' }] }] }],
    ['no seq', { conversations: [{ conv: 'c', acks: [{ ...ack, upTo: 0 }] }] }],
    ['no conversation', { conversations: [{ conv: '', acks: [ack] }] }],
    ['an inbox of nobody', { inboxes: [{ user: '', device: 'd', inbox: 1 }] }],
    [
      'too many of them',
      {
        conversations: Array(3).fill({ conv: 'c', acks: Array(MAX_CURSORS / 2).fill(ack) }),
      },
    ],
  ])('cursors with %s are refused', (_, change) => {
    const none = { conversations: [], inboxes: [], origin: 1, request: 2 }
    const command = { kind: CommandKind.cursors, ...SYSTEM_HEAD, ...none, ...change } as Command
    expect(refusal(encodeCommand(command))).toBe('INVALID_MESSAGE')
  })

  test.each<[string, Command]>([
    ['no user', push('', 'd', { op: 'seen' })],
    ['a device of other characters', push('alice', 'a b', { op: 'seen' })],
    ['an endpoint that is no URL', push('a', 'd', subscribe({ endpoint: 'here' }))],
    ['a line break', push('a', 'd', subscribe({ endpoint: 'https://a.example/\r\nx: y' }))],
    [
      'an endpoint that is too long',
      push('a', 'd', subscribe({ endpoint: `https://a.example/${'x'.repeat(2_048)}` })),
    ],
    ['a key of other bytes', push('a', 'd', subscribe({ p256dh: 'B' }))],
    ['a secret of other bytes', push('a', 'd', subscribe({ auth: 'x'.repeat(23) }))],
  ])('a push subscription with %s is refused', (_, command) => {
    expect(refusal(encodeCommand(command))).toBe('INVALID_MESSAGE')
  })

  test('of a later version is refused as that, and by this node’s own limit if that is lower', () => {
    const bytes = encodeCommand(sample)
    for (const at of [0, 1]) {
      const changed = Uint8Array.from(bytes)
      changed[at] = 99
      expect(refusal(changed)).toBe('UNSUPPORTED')
    }
    expect(refusalOf(bytes, { bodyBytes: 2, metaBytes: 0 }, FEATURE_LEVELS.max)).toBe(
      'PAYLOAD_TOO_LARGE',
    )
  })
})
