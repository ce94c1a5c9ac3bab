import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '#cluster'
import { batchStamp, encodeBatch, forEachCommand } from './batch-codec.ts'
import { decodeCommand, encodeCommand, toCommand } from './command-codec.ts'
import { CommandFormatError } from './command-view.ts'
import type { SettingsChanges } from './settings.ts'
import {
  type Command,
  CommandKind,
  type ConversationOperation,
  type Removal,
  SYSTEM_HEAD,
} from './commands.ts'
import {
  create,
  cursors,
  edit,
  erase,
  push,
  message,
  operation,
  react,
  recall,
  refuse,
  remove,
  raise,
  revoke,
  setting,
} from './testing.ts'

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const bytes = fc.uint8Array({ maxLength: 40 })
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { freq: 3 })
const common = fc.record({
  origin: fc.nat(0xffff_ffff),
  request: fc.nat(0xffff_ffff),
  user: name,
  device: name,
  msgId: name,
  prev: optional(name),
  since: optional(fc.nat(2 ** 48 - 1)),
})
const bound = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const policy = fc
  .record({ maxAgeMs: bound, maxCount: bound, maxBytes: bound }, { requiredKeys: [] })
  .filter((bounds) => Object.keys(bounds).length > 0)
const anyRemoval: fc.Arbitrary<Removal> = fc.oneof(
  fc.record({ op: fc.constant('truncate' as const), from: name, upTo: fc.maxSafeNat() }),
  fc.record({
    op: fc.constant('expire' as const),
    from: name,
    seqs: fc
      .uniqueArray(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 9 })
      .map((seqs) => seqs.sort((a, b) => a - b)),
  }),
)
const target = fc.nat(2 ** 48 - 1)
const anyOperation: fc.Arbitrary<ConversationOperation> = fc.oneof(
  fc.record({
    op: fc.constant('create' as const),
    members: fc.array(name),
    name: optional(name),
    meta: optional(bytes),
  }),
  fc.record({ op: fc.constant('direct' as const), with: name }),
  fc.record({
    op: fc.constant('add' as const),
    member: name,
    role: fc.constantFrom('admin' as const, 'member' as const),
  }),
  fc.record({ op: fc.constant('remove' as const), member: name }),
  fc.record({
    op: fc.constant('role' as const),
    member: name,
    role: fc.constantFrom('owner' as const, 'admin' as const, 'member' as const),
  }),
  fc.record({ op: fc.constant('leave' as const) }),
  fc.record({ op: fc.constant('block' as const), member: name }),
  fc.record({ op: fc.constant('unblock' as const), member: name }),
  fc.record(
    {
      op: fc.constant('set' as const),
      name: optional(name),
      meta: optional(bytes),
      retention: optional(policy),
      history: fc.boolean(),
    },
    { requiredKeys: ['op'] },
  ) as fc.Arbitrary<ConversationOperation>,
)
const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc
    .tuple(common, fc.boolean(), name, optional(fc.nat(2 ** 48 - 1)), fc.boolean(), bytes)
    .map(([base, direct, target, replyTo, large, body]): Command => {
      const [conv, to] = direct ? [null, target] : [target, null]
      return { kind: 1, ...base, conv, to, replyTo, large, body }
    }),
  fc
    .tuple(common, name, anyOperation)
    .map(([base, conv, of]): Command => ({ kind: 2, ...base, conv, operation: of })),
  fc
    .tuple(common, name, fc.constantFrom('CANCELLED', 'REJECTED_SPAM', 'USER_BLOCKED', 'FORBIDDEN'))
    .map(([base, conv, code]): Command => ({ kind: 3, ...base, conv, code })),
  fc
    .record({ windowMs: fc.nat(), groupMembers: fc.nat() }, { requiredKeys: [] })
    .map((changes): Command => setting(changes as SettingsChanges)),
  fc.integer({ min: 2, max: 2 ** 30 }).map((level): Command => raise(level)),
  fc
    .tuple(name, optional(name), fc.nat())
    .map(([account, device, before]): Command => revoke(account, device, before)),
  fc
    .tuple(common, name, target, bytes)
    .map(([base, conv, of, body]): Command => ({ kind: 4, ...base, conv, target: of, body })),
  fc
    .tuple(common, name, target)
    .map(([base, conv, of]): Command => ({ kind: 5, ...base, conv, target: of })),
  fc
    .tuple(common, name, target, fc.record({ reaction: name, on: fc.boolean() }))
    .map(([base, conv, of, what]): Command => ({ kind: 6, ...base, conv, target: of, ...what })),
  anyRemoval.map(remove),
  name.map(erase),
  fc.tuple(name, name, name, fc.nat(), fc.boolean()).chain(([of, on, text, n, flag]) =>
    fc.constantFrom(
      push(of, on, { op: 'subscribe', target: { kind: 'webhook', endpoint: text } }),
      push(of, on, {
        op: 'subscribe',
        target: { kind: 'web', endpoint: text, p256dh: of, auth: on },
      }),
      push(of, on, { op: 'unsubscribe', endpoint: flag ? text : null }),
      push(of, on, { op: flag ? 'claim' : 'done', inbox: n }),
      push(of, on, { op: 'seen' }),
    ),
  ),
  fc.constant(null).chain(() => anySystemCommand),
)
const cursor = fc.record({
  user: name,
  device: name,
  kind: fc.constantFrom('delivered' as const, 'read' as const),
  upTo: fc.maxSafeNat(),
})
const anySystemCommand: fc.Arbitrary<Command> = fc
  .record({
    origin: fc.nat(0xffff_ffff),
    request: fc.nat(0xffff_ffff),
    conversations: fc.array(fc.record({ conv: name, acks: fc.array(cursor) })),
    inboxes: fc.array(fc.record({ user: name, device: name, inbox: fc.nat() })),
  })
  .map((fields) => ({ kind: CommandKind.cursors, ...SYSTEM_HEAD, ...fields }))
/** Buffers and arrays of equal bytes are equal. */
function bufferless(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return [...(value as Uint8Array)]
  if (Array.isArray(value)) return value.map(bufferless)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, bufferless(of)]))
}

describe('commands', () => {
  test('[A5] integers that only a hostile client sends become the greatest that fit', () => {
    const huge = { since: Number.MAX_SAFE_INTEGER, replyTo: 2 ** 48 }
    const sent = message({ user: 'alice', to: 'bob', msgId: 'm1', ...huge })
    expect(decodeCommand(encodeCommand(sent))).toMatchObject({
      since: 2 ** 48 - 1,
      replyTo: 2 ** 48 - 1,
    })
  })

  test('[A9] the bytes of every kind are fixed for ever', () => {
    const fields = { user: 'alice', msgId: 'm1', device: 'd', prev: 'm0', since: 258 }
    const golden: [Command, string][] = [
      [
        message({ user: 'alice', to: 'bob', msgId: 'm1', device: 'd', body: 'hi' }),
        '0101010000000200000008' + '0500616c696365' + '0164' + '026d31' + '0300626f62' + '6869',
      ],
      [
        message({ ...fields, conv: 'c', body: 'hi', replyTo: 3, large: true }),
        '0101010000000200000037' +
          '0500616c696365' +
          '0164' +
          '026d31' +
          '026d30' +
          '020100000000' +
          '010063' +
          '030000000000' +
          '6869',
      ],
      [
        create({ user: 'alice', msgId: 'm1', device: 'd' }, 'bob', 'eve'),
        '0201010000000200000004' +
          '0500616c696365' +
          '0164' +
          '026d31' +
          '0000' +
          '0102' +
          '03626f62' +
          '03657665' +
          '0000',
      ],
      [
        operation({ ...fields, conv: 'c' }, { op: 'set', name: 'n', meta: new Uint8Array([0xc0]) }),
        '0201010000000200000007' +
          '0500616c696365' +
          '0164' +
          '026d31' +
          '026d30' +
          '020100000000' +
          '010063' +
          '0703' +
          '01016e' +
          '0101c0',
      ],
      [
        operation({ ...fields, conv: 'c' }, { op: 'role', member: 'b', role: 'admin' }),
        '0201010000000200000007' +
          '0500616c696365' +
          '0164' +
          '026d31' +
          '026d30' +
          '020100000000' +
          '010063' +
          '05016202',
      ],
      [
        refuse({ user: 'alice', msgId: 'm1', device: 'd', conv: 'c' }, 'CANCELLED'),
        '0301010000000200000004' + '0500616c696365' + '0164' + '026d31' + '010063' + '01',
      ],
    ]
    const acks = cursors(['alice', 'c', 'delivered', 3, 'd'], ['bob', 'c', 'read', 300, 'e'])
    golden.push([
      { ...acks, inboxes: [{ user: 'alice', device: 'd', inbox: 7 }] } as Command,
      '0701010000000200000004' +
        '00000000' +
        '0000' +
        '01016302' +
        '05616c696365' +
        '01640103' +
        '03626f62' +
        '016502ac02' +
        '01' +
        '05616c696365' +
        '016407',
    ])
    const who = { user: 'alice', msgId: 'm1', device: 'd' }
    const head = '01010000000200000004' + '0500616c696365' + '0164' + '026d31'
    const nobody = '01010000000200000004' + '00000000' + '0000'
    const about = { ...who, conv: 'c', target: 3 }
    const retention = { maxCount: 5 }
    golden.push(
      [edit({ ...about, body: 'hi' }), '04' + head + '010063' + '030000000000' + '6869'],
      [recall(about), '05' + head + '010063' + '030000000000'],
      [react({ ...about, reaction: '+1' }), '06' + head + '010063' + '030000000000' + '012b31'],
      [
        operation({ ...who, conv: 'c' }, { op: 'set', retention, history: true }),
        '02' + head + '010063' + '070c' + '010205' + '01',
      ],
      [operation(who, { op: 'block', member: 'bob' }), '02' + head + '0000' + '0803626f62'],
      [operation(who, { op: 'unblock', member: 'bob' }), '02' + head + '0000' + '0903626f62'],
      [remove({ op: 'truncate', from: 'c', upTo: 300 }), '09' + nobody + '010163' + 'ac02'],
      [remove({ op: 'expire', from: 'c', seqs: [3, 5] }), '09' + nobody + '020163' + '020302'],
      [erase('alice'), '0b' + nobody + '0205616c696365'],
      [push('al', 'd', { op: 'claim', inbox: 300 }), '0a' + nobody + '0302616c0164' + 'ac02'],
      [
        push('al', 'd', { op: 'subscribe', target: { kind: 'webhook', endpoint: 'e' } }),
        '0a' + nobody + '0102616c0164' + '000165',
      ],
      [
        push('al', 'd', { op: 'unsubscribe', endpoint: null }),
        '0a' + nobody + '0202616c0164' + '00',
      ],
    )
    for (const [command, hex] of golden) {
      expect(Buffer.from(encodeCommand(command)).toString('hex')).toBe(hex)
    }
    const batch = encodeBatch({ logTime: 1, wallTime: 2 }, [encodeCommand(golden[5]![0])])
    expect(Buffer.from(batch).toString('hex')).toBe(
      '01' + '010000000000' + '020000000000' + '1b000000' + golden[5]![1],
    )
  })

  test('[A9] every command comes back as it was, alone and in a batch', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { minLength: 1, maxLength: 6 }), (commands) => {
        for (const command of commands) {
          expect(bufferless(decodeCommand(encodeCommand(command)))).toEqual(bufferless(command))
        }
        const data = encodeBatch({ logTime: 2 ** 47, wallTime: 5 }, commands.map(encodeCommand))
        const visited: Command[] = []
        // Whatever memory it comes in: a part of a larger array, and no Buffer.
        const framed = new Uint8Array(data.length + 7)
        framed.set(data, 3)
        const stamp = forEachCommand(framed.subarray(3, 3 + data.length), (view) =>
          visited.push(toCommand(view)),
        )
        expect(stamp).toEqual({ logTime: 2 ** 47, wallTime: 5 })
        expect(visited.map(bufferless)).toEqual(commands.map(bufferless))
      }),
    )
  })

  test('[A9] bytes of no known form are refused as that, in a batch they are an assertion too', () => {
    fc.assert(
      fc.property(anyCommand, fc.nat(), fc.nat(255), fc.boolean(), (command, at, value, cut) => {
        const good = encodeCommand(command)
        const bad = cut ? good.slice(0, at % good.length) : good.slice()
        if (!cut) bad[at % bad.length] = value
        try {
          decodeCommand(bad)
        } catch (error) {
          expect(error).toBeInstanceOf(CommandFormatError)
        }
      }),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        expect(() => forEachCommand(Uint8Array.of(7, ...data), () => {})).toThrow(AssertionError)
        try {
          forEachCommand(Uint8Array.of(1, ...data), () => {})
        } catch (error) {
          const known = error instanceof AssertionError || error instanceof CommandFormatError
          expect(known).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
    expect(() => batchStamp(new Uint8Array(13).fill(1))).toThrow(AssertionError)
  })
})
