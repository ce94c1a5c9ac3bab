import { describe, expect, it } from 'vitest'
import { type ConversationAnswer, decodeBody, encodeBody, type RequestFrame } from '#protocol'
import { CommandKind } from '../state-machine/commands.ts'
import { accepted } from './testing/fake-backend.ts'
import { fixture } from './testing/fixture.ts'
import { BODY, errorOf, view } from './testing/samples.ts'

const CONV = { t: 'conv:R', id: 1, msgId: 'm1' } as const

describe('writes about an earlier message, and settings', () => {
  const target = { id: 1, conv: 'c1', msgId: 'm', seq: 4, prev: 'm0', since: 5 }
  it.each<[RequestFrame, object]>([
    [
      { t: 'edit:R', ...target, body: BODY },
      { kind: CommandKind.edit, body: BODY },
    ],
    [{ t: 'recall:R', ...target }, { kind: CommandKind.recall }],
    [
      { t: 'react:R', ...target, reaction: '+1', on: false },
      { kind: CommandKind.reaction, reaction: '+1', on: false },
    ],
  ])('[GW11] takes $0.t to the log and answers as of any write', async (frame, expected) => {
    const { clock, open, backend } = fixture()
    const client = await open()
    backend.answer = (submission) => accepted(submission, 9)
    client.write(frame)
    await clock.settle()
    const common = { user: 'alice', conv: 'c1', target: 4, prev: 'm0', since: 5 }
    expect(backend.submissions[0]?.submission).toMatchObject({ ...common, ...expected })
    expect(client.last('msg:A')).toMatchObject({ id: 1, msgId: 'm', seq: 9, duplicate: false })
  })

  it.each<[object, string]>([
    [{ op: 'block', user: 'bob', conv: 'c1' }, 'direct conversation'],
    [{ op: 'set', conv: 'c1', retention: encodeBody(7) }, 'object or null'],
    [{ op: 'set', conv: 'c1', retention: encodeBody({}) }, 'names maxAgeMs'],
    [{ op: 'set', conv: 'c1', retention: encodeBody({ maxCount: 0 }) }, 'retention.maxCount'],
    [{ op: 'set', conv: 'c1', retention: encodeBody({ maxAgeMs: '1' }) }, 'retention.maxAgeMs'],
    [{ op: 'set', conv: 'c1', retention: encodeBody({ preset: 'toString' }) }, 'one of: paper'],
  ])('[GW11] refuses what the frame alone shows to be wrong: %j', async (fields, message) => {
    const { clock, open, backend } = fixture()
    const client = await open()
    client.write({ ...CONV, ...fields } as RequestFrame)
    await clock.settle()
    const error = errorOf(client.last('conv:A'))
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' })
    expect(error.message).toContain(message)
    expect(backend.submissions).toHaveLength(0)
  })

  it('[GW11] takes blocks, retention and history to the log and shows them to who set them', async () => {
    const { clock, open, backend } = fixture()
    const client = await open()
    const shown = view('c1', 'alice', 'bob')
    backend.state.conversations.set('c1', {
      ...shown,
      members: shown.members.map((member) => ({ ...member, blocks: member.user === 'bob' })),
      retention: { maxCount: 5 },
      history: true,
    })
    backend.answer = (submission) => accepted(submission, 3)
    client.write({ ...CONV, op: 'block', user: 'bob' })
    // As many languages write what is left out.
    const retention = encodeBody({ preset: 'paper', maxCount: 5, maxBytes: null })
    client.write({ ...CONV, id: 2, op: 'set', conv: 'c1', retention, history: true })
    await clock.settle()
    const [block, set] = backend.submissions.map(({ submission }) => submission)
    expect(block).toMatchObject({ conv: '', operation: { op: 'block', member: 'bob' } })
    expect(set).toMatchObject({
      operation: {
        retention: { maxAgeMs: 30 * 24 * 60 * 60 * 1000, maxCount: 5, maxBytes: 100_000_000 },
        history: true,
      },
    })
    const { conversation } = client.last('conv:A') as ConversationAnswer
    expect(conversation).toMatchObject({ history: true, members: [{ user: 'alice' }, {}] })
    expect(decodeBody(conversation!.retention!)).toEqual({ maxCount: 5 })
    // That the other side blocks you is the other side's business.
    expect(conversation!.blocked).toBeUndefined()
    expect(conversation!.members[1]).toEqual({ user: 'bob', role: 'member' })
  })
})
