import { describe, expect, it } from 'vitest'
import { encodeBody, ERROR_CODES, type ErrorCode, type RequestFrame, wireError } from '#protocol'
import { CommandKind } from '../state-machine/commands.ts'
import { accepted } from './testing/fake-backend.ts'
import { fixture } from './testing/fixture.ts'
import { type MemoryConnection } from './testing/memory-connection.ts'
import { BODY, errorOf, event, messageFrame, view } from './testing/samples.ts'

const CONV = { t: 'conv:R', id: 1, msgId: 'm1' } as const

describe('[M-13] writes', () => {
  it('[GW11] hands a message to the backend as it came', async () => {
    const { clock, open, backend } = fixture()
    const client = await open('alice', 'phone')
    client.write({ ...messageFrame(1), replyTo: 3, prev: 'm0', since: 99, large: true })
    client.write({ t: 'msg:R', id: 2, to: 'bob', msgId: 'm2', body: BODY })
    expect(backend.submissions.map(({ submission }) => submission)).toEqual([
      {
        kind: CommandKind.message,
        user: 'alice',
        device: 'phone',
        msgId: 'm1',
        prev: 'm0',
        since: 99,
        conv: 'c1',
        to: null,
        replyTo: 3,
        large: true,
        body: BODY,
      },
      expect.objectContaining({ conv: null, to: 'bob', prev: null, since: null, replyTo: null }),
    ])
    backend.submissions[0]!.done({ ...accepted(backend.submissions[0]!.submission, 4) })
    await clock.settle()
    expect(client.last('msg:A')).toEqual({
      t: 'msg:A',
      id: 1,
      msgId: 'm1',
      conv: 'c1',
      seq: 4,
      ord: 4,
      at: 7,
      duplicate: false,
      inbox: null,
      now: 8,
      mark: 'e1.a',
    })
  })

  it('[GW10] answers in the order of the results, once each, in one WebSocket message', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    client.write(messageFrame(1), messageFrame(2), messageFrame(3))
    for (const at of [2, 0, 1]) {
      const { submission, done } = backend.submissions[at]!
      done(accepted(submission, at + 1))
    }
    await clock.settle()
    expect(client.messages).toHaveLength(1)
    expect(client.frames.map((frame) => 'id' in frame && frame.id)).toEqual([3, 1, 2])
  })

  it('[GW10] forgets a session that died with writes in flight', async () => {
    const { clock, open, backend, gateway } = fixture()
    const client = await open()
    client.write(messageFrame(1))
    client.onClose(1006)
    expect(gateway.sessionCount).toBe(0)
    const { submission, done } = backend.submissions[0]!
    done(accepted(submission))
    await clock.settle()
    expect(client.frames).toHaveLength(0)
  })

  it.each(Object.keys(ERROR_CODES) as ErrorCode[])(
    '[GW11] passes a verdict %s on',
    async (code) => {
      const { clock, open, backend } = fixture()
      const client = await open()
      backend.answer = ({ msgId }) => ({ ok: false, msgId, code, message: 'no', now: 1 })
      client.write(messageFrame(1))
      await clock.settle()
      const { category, retryable, outcome } = ERROR_CODES[code]
      expect(client.frames).toEqual([
        { t: 'msg:A', id: 1, error: { code, category, message: 'no', retryable, outcome } },
      ])
    },
  )

  it('[GW11] passes a failure to reach the log on, with the leader and the time to wait', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    const leader = { id: 'n3', url: 'http://127.0.0.1:7403' }
    const error = wireError('NO_LEADER', 'none', { leader, retryAfterMs: 40 })
    backend.answer = () => ({ error })
    client.write(messageFrame(1))
    client.write({ ...CONV, id: 2, op: 'leave', conv: 'c1' })
    client.write({ t: 'cancel:R', id: 3, conv: 'c1', msgId: 'm9' })
    await clock.settle()
    expect(client.frames.map(errorOf)).toEqual([error, error, error])
    expect(client.frames.map((frame) => frame.t)).toEqual(['msg:A', 'conv:A', 'cancel:A'])
  })

  it('[GW12] bounds the requests without an answer, and takes more after an answer', async () => {
    const { clock, open, backend } = fixture({ maxInFlight: 2 })
    const client = await open()
    client.write(messageFrame(1), messageFrame(2), messageFrame(3))
    await clock.settle()
    expect(client.frames).toHaveLength(1)
    expect(client.last('msg:A')).toMatchObject({ id: 3 })
    expect(errorOf(client.last('msg:A'))).toMatchObject({ code: 'OVERLOADED', retryable: true })
    backend.submissions[0]!.done(accepted(backend.submissions[0]!.submission))
    client.write(messageFrame(4))
    expect(backend.submissions.map(({ submission }) => submission.msgId)).toEqual([
      'm1',
      'm2',
      'm4',
    ])
  })

  it('[GW11] refuses a body past the limit, and nothing else of the message', async () => {
    const { clock, open, backend } = fixture({ maxBodyBytes: 100 })
    const client = await open()
    const body = encodeBody('x'.repeat(100))
    client.write({ ...messageFrame(1), body }, messageFrame(2))
    await clock.settle()
    expect(client.last('msg:A')).toMatchObject({ id: 1 })
    expect(errorOf(client.last('msg:A')).code).toBe('PAYLOAD_TOO_LARGE')
    expect(backend.submissions.map(({ submission }) => submission.msgId)).toEqual(['m2'])
  })

  it.each([
    ['a missing field', '{"t":"msg:R","id":1,"conv":"c1","body":1}', 'INVALID_MESSAGE', 1],
    [
      'conv and to',
      '{"t":"msg:R","id":1,"conv":"c","to":"b","msgId":"m","body":1}',
      'INVALID_MESSAGE',
      1,
    ],
    ['an unknown operation', '{"t":"conv:R","id":"q","op":"paint"}', 'UNSUPPORTED', 'q'],
    ['an unknown type', '{"t":"paint:R","id":4}', 'UNSUPPORTED', 4],
    ['no readable id', '{"t":"msg:R","id":{},"conv":"c1"}', 'INVALID_MESSAGE', null],
    ['an answer', '{"t":"msg:A","id":1}', 'UNSUPPORTED', null],
    ['no JSON', '{', 'INVALID_MESSAGE', null],
    ['a number', '17', 'INVALID_MESSAGE', null],
  ])('[GW13] answers %s and goes on', async (_, message, code, id) => {
    const { clock, open, backend } = fixture()
    const client = await open('alice', 'd1', {}, 'parley.v1.json')
    client.onMessage(message)
    client.write(messageFrame(9))
    await clock.settle()
    const [refusal] = client.frames
    expect(errorOf(refusal!).code).toBe(code)
    if (id === null) expect(refusal!.t).toBe('error:N')
    else expect(refusal).toMatchObject({ id, t: expect.stringMatching(/:A$/) as string })
    expect(backend.submissions).toHaveLength(1)
    expect(client.closed).toBeNull()
  })

  it('[GW13] refuses text in the binary subprotocol', async () => {
    const { clock, open } = fixture()
    const client = await open()
    client.onMessage('{"t":"ping:R","id":1}')
    await clock.settle()
    expect(errorOf(client.last('error:N')).code).toBe('INVALID_MESSAGE')
  })

  it.each<[string, RequestFrame, object]>([
    [
      'create',
      { ...CONV, op: 'create', members: ['bob'], name: 'N', meta: BODY },
      { conv: '', operation: { op: 'create', members: ['bob'], name: 'N', meta: BODY } },
    ],
    [
      'create without name',
      { ...CONV, op: 'create', members: [] },
      { conv: '', operation: { op: 'create', members: [], name: null, meta: null } },
    ],
    [
      'direct',
      { ...CONV, op: 'direct', with: 'bob' },
      { conv: '', operation: { op: 'direct', with: 'bob' } },
    ],
    [
      'add',
      { ...CONV, op: 'add', conv: 'c1', user: 'eve' },
      { conv: 'c1', operation: { op: 'add', member: 'eve', role: 'member' } },
    ],
    [
      'remove',
      { ...CONV, op: 'remove', conv: 'c1', user: 'eve' },
      { conv: 'c1', operation: { op: 'remove', member: 'eve' } },
    ],
    [
      'role',
      { ...CONV, op: 'role', conv: 'c1', user: 'eve', role: 'owner' },
      { conv: 'c1', operation: { op: 'role', member: 'eve', role: 'owner' } },
    ],
    [
      'set',
      { ...CONV, op: 'set', conv: 'c1', name: null, meta: encodeBody(null) },
      { conv: 'c1', operation: { op: 'set', name: null, meta: null } },
    ],
    [
      'set name only',
      { ...CONV, op: 'set', conv: 'c1', name: 'New' },
      { conv: 'c1', operation: { op: 'set', name: 'New' } },
    ],
  ])('[GW11] hands conv:R %s on and answers with the conversation', async (_, frame, expected) => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.state.conversations.set('c1', view('c1', 'alice', 'bob'))
    backend.answer = (submission) => ({ ...accepted(submission, 3), conv: 'c1' }) as never
    client.write(frame)
    await clock.settle()
    expect(backend.submissions[0]?.submission).toMatchObject({
      kind: CommandKind.conversation,
      user: 'alice',
      msgId: 'm1',
      ...expected,
    })
    expect(client.last('conv:A')).toMatchObject({
      id: 1,
      msgId: 'm1',
      seq: 3,
      duplicate: false,
      now: 8,
      conversation: {
        id: 'c1',
        kind: 'group',
        head: 3,
        members: [{ user: 'alice' }, { user: 'bob' }],
      },
    })
  })

  it('[GW11] answers leave without a view of what was left', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.state.conversations.set('c1', view('c1', 'bob'))
    backend.answer = (submission) => accepted(submission, 3)
    client.write({ ...CONV, op: 'leave', conv: 'c1' })
    await clock.settle()
    expect(client.last('conv:A')).toMatchObject({ id: 1, seq: 3 })
    expect(client.last('conv:A').conversation).toBeUndefined()
  })

  it.each<[string, object, object]>([
    ['cancelled', { ok: false, code: 'CANCELLED' }, { cancelled: true }],
    ['stored before', { ok: true, seq: 5, at: 6 }, { seq: 5, at: 6 }],
    ['refused before', { ok: false, code: 'NOT_MEMBER' }, { error: { code: 'NOT_MEMBER' } }],
  ])('[GW11] answers cancel:R of a message that was %s', async (_, result, expected) => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.answer = () => ({ msgId: 'm9', message: '', now: 1, ...result }) as never
    client.write({ t: 'cancel:R', id: 1, conv: 'c1', msgId: 'm9' })
    await clock.settle()
    expect(backend.submissions[0]?.submission).toMatchObject({
      kind: CommandKind.refuse,
      code: 'CANCELLED',
      conv: 'c1',
      msgId: 'm9',
    })
    expect(client.last('cancel:A')).toMatchObject(expected)
  })
})

describe('reads', () => {
  const pull = (client: MemoryConnection, more: object = {}): void =>
    client.write({ t: 'pull:R', id: 1, conv: 'c1', limit: 10, after: 0, ...more } as RequestFrame)

  it('[GW16] pulls forward and backward in ascending order', async () => {
    const { clock, open, backend } = fixture()
    backend.state.events.set(
      'c1',
      [1, 2, 3, 4, 5].map((seq) => event(seq)),
    )
    const client = await open()
    pull(client, { after: 1, limit: 2 })
    await clock.settle()
    const forward = client.last('pull:A')
    expect(forward).toMatchObject({ next: 3, upTo: 3, hasMore: true, mark: 'e1.a' })
    expect(forward.events.map(({ seq }) => seq)).toEqual([2, 3])
    expect(forward.events[0]).toEqual({
      seq: 2,
      kind: 'message',
      ord: 2,
      msgId: 'e2',
      from: 'bob',
      device: 'd9',
      at: 7,
      body: BODY,
    })
    pull(client, { after: undefined, before: 4, limit: 2 })
    await clock.settle()
    const backward = client.last('pull:A')
    expect(backward).toMatchObject({ next: 2, upTo: 3, hasMore: true })
    expect(backward.events.map(({ seq }) => seq)).toEqual([2, 3])
  })

  it('[GW16] never gives more events than a page holds', async () => {
    const { clock, open, backend } = fixture({ maxPageEvents: 3 })
    backend.state.events.set(
      'c1',
      [1, 2, 3, 4, 5].map((seq) => event(seq)),
    )
    const client = await open()
    pull(client, { limit: 1_000 })
    await clock.settle()
    expect(client.last('pull:A').events).toHaveLength(3)
  })

  it('[GW16] cuts a page by bytes, at least one event, and goes on without a hole', async () => {
    const { clock, open, backend } = fixture({ maxPageBytes: 250 })
    const body = encodeBody('x'.repeat(100))
    const seqs = [1, 2, 3, 4, 5]
    backend.state.events.set(
      'c1',
      seqs.map((seq) => event(seq, { body })),
    )
    const client = await open()
    const seen: number[] = []
    let after = 0
    for (let page = 0; page < 3; page++) {
      pull(client, { after })
      await clock.settle()
      const { events, next, upTo, hasMore } = client.last('pull:A')
      seen.push(...events.map(({ seq }) => seq))
      expect(upTo).toBe(events.at(-1)?.seq)
      expect(hasMore).toBe(page < 2)
      after = next
    }
    expect(seen).toEqual(seqs)
    let before = 6
    for (let page = 0; page < 3; page++) {
      pull(client, { after: undefined, before })
      await clock.settle()
      const { events, next } = client.last('pull:A')
      seen.unshift(...events.map(({ seq }) => seq))
      before = next
    }
    expect(seen).toEqual([...seqs, ...seqs])
    backend.state.events.set('c1', [event(1, { body: encodeBody('x'.repeat(999)) })])
    pull(client)
    await clock.settle()
    expect(client.last('pull:A').events).toHaveLength(1)
  })

  it('[GW16] tells a gap only with the page that reaches it', async () => {
    const { clock, open, backend } = fixture({ maxPageBytes: 1 })
    backend.state.events.set(
      'c1',
      [1, 2, 3].map((seq) => event(seq)),
    )
    backend.state.gap = { from: 4, to: 9, reason: 'retention' }
    const client = await open()
    pull(client)
    await clock.settle()
    expect(client.last('pull:A').gap ?? null).toBeNull()
    pull(client, { after: 2 })
    await clock.settle()
    expect(client.last('pull:A').gap).toEqual({ from: 4, to: 9, reason: 'retention' })
  })

  it('[GW11] answers GROUP_NOT_FOUND and NOT_MEMBER', async () => {
    const { clock, open, backend } = fixture()
    backend.state.conversations.set('c2', view('c2', 'bob'))
    backend.state.events.set('c2', [])
    backend.state.strangers.add('alice')
    const client = await open()
    pull(client)
    client.write({ t: 'conv:R', id: 2, op: 'get', conv: 'c1' })
    client.write({ t: 'conv:R', id: 3, op: 'get', conv: 'c2' })
    pull(client, { id: 4, conv: 'c2', after: 99 })
    await clock.settle()
    const byId = new Map(client.frames.map((frame) => ['id' in frame && frame.id, errorOf(frame)]))
    const [unknown, foreign] = ['GROUP_NOT_FOUND', 'NOT_MEMBER']
    const expected = [unknown, unknown, foreign, foreign]
    expect([1, 2, 3, 4].map((id) => byId.get(id)?.code)).toEqual(expected)
  })

  it('[GW10] answers get and list', async () => {
    const { clock, open, backend } = fixture({ maxListedConversations: 2 })
    for (const id of ['a', 'b', 'c']) backend.state.conversations.set(id, view(id, 'alice'))
    const client = await open()
    client.write({ t: 'conv:R', id: 1, op: 'get', conv: 'b' })
    await clock.settle()
    expect(client.last('conv:A').conversation).toMatchObject({
      id: 'b',
      head: 3,
      ord: 2,
      name: null,
    })
    client.write({ t: 'conv:R', id: 2, op: 'list', limit: 1_000 })
    await clock.settle()
    const page = client.last('conv:A')
    expect(page.conversations?.map(({ id }) => id)).toEqual(['a', 'b'])
    client.write({ t: 'conv:R', id: 3, op: 'list', after: page.next })
    await clock.settle()
    expect(client.last('conv:A').conversations?.map(({ id }) => id)).toEqual(['c'])
    expect(client.last('conv:A').next).toBeUndefined()
    for (const after of ['', 'x', '1.', `zzzzzzzzzzz.a`, `.a`, '-1.a', '1.a b']) {
      client.write({ t: 'conv:R', id: 4, op: 'list', after })
      await clock.settle()
      expect(errorOf(client.frames.at(-1)!)).toMatchObject({ code: 'INVALID_MESSAGE' })
    }
  })

  it('[GW7] reads for nobody while it is not ready', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.ready = false
    pull(client)
    client.write({ t: 'conv:R', id: 2, op: 'list' })
    client.write({ t: 'conv:R', id: 3, op: 'get', conv: 'b' })
    await clock.settle()
    expect(client.frames.map((frame) => errorOf(frame).code)).toEqual([
      'BEHIND',
      'BEHIND',
      'BEHIND',
    ])
  })

  it('[GW14] waits for the mark of a pull, else BEHIND', async () => {
    const { clock, open, backend } = fixture()
    backend.state.events.set('c1', [event(1)])
    const client = await open()
    pull(client, { mark: 'e1.b' })
    await clock.settle()
    expect(client.frames).toHaveLength(0)
    backend.apply(11)
    await clock.settle()
    expect(client.last('pull:A')).toMatchObject({ upTo: 1, mark: 'e1.b' })
    pull(client, { id: 2, mark: 'e1.zz' })
    await clock.settle()
    backend.giveUp()
    await clock.settle()
    expect(errorOf(client.last('pull:A'))).toMatchObject({ code: 'BEHIND', retryable: true })
  })

  it('[GW15] takes a read index and waits for it', async () => {
    const { clock, open, backend } = fixture()
    backend.state.events.set('c1', [event(1)])
    backend.readIndexAnswer = { index: 12 }
    const client = await open()
    pull(client, { read: 'linearizable' })
    await clock.settle()
    expect(client.frames).toHaveLength(0)
    backend.apply(12)
    await clock.settle()
    expect(client.last('pull:A').events).toHaveLength(1)
    backend.readIndexAnswer = { error: wireError('NO_QUORUM', 'alone') }
    pull(client, { read: 'linearizable' })
    await clock.settle()
    expect(errorOf(client.last('pull:A')).code).toBe('NO_QUORUM')
    backend.readIndexAnswer = { index: 99 }
    pull(client, { read: 'linearizable' })
    await clock.settle()
    backend.giveUp()
    await clock.settle()
    expect(errorOf(client.last('pull:A')).code).toBe('BEHIND')
  })

  it('[GW10] answers INTERNAL when a read fails inside, and logs it', async () => {
    const { clock, open, backend, logger } = fixture()
    const client = await open()
    backend.state.failure = new Error('checksum')
    pull(client)
    await clock.settle()
    expect(errorOf(client.last('pull:A'))).toMatchObject({ code: 'INTERNAL', outcome: 'unknown' })
    expect(logger.events).toContain('read.failed')
  })

  it('[GW12] runs a few reads at once, the others in order', async () => {
    const { clock, open, backend } = fixture({ maxConcurrentReads: 2 })
    backend.state.events.set('c1', [event(1)])
    const client = await open()
    for (let id = 1; id <= 5; id++) pull(client, { id, mark: 'e1.b' })
    await clock.settle()
    backend.apply(11)
    await clock.settle()
    expect(client.frames.map((frame) => 'id' in frame && frame.id)).toEqual([1, 2, 3, 4, 5])
  })
})
