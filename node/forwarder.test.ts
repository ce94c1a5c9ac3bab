import { NO_ONE, PeerFrameKind, type RaftId, type Replica } from '#cluster'
import { describe, expect, test } from 'vitest'
import { decodeForward, encodeForward } from './forward-frame.ts'
import { Forwarder } from './forwarder.ts'
import type { Submission } from './gateway/backend.ts'
import { ManualClock } from './gateway/testing/manual-clock.ts'
import { accepted } from './gateway/testing/fake-backend.ts'
import { RecordingLogger } from './gateway/testing/recording-logger.ts'
import { encodeCommand } from './state-machine/command-codec.ts'
import { CommandKind } from './state-machine/commands.ts'

const SELF = 'a'.repeat(16)
const PEER = 'b'.repeat(16)
const OTHER = 'c'.repeat(16)
const ORIGIN = 7

function message(msgId: string): Submission {
  const author = { user: 'alice', device: 'd1', msgId, prev: null, since: null }
  const fields = { conv: 'c1', to: null, replyTo: null, large: false, body: new Uint8Array(3) }
  return { kind: CommandKind.message, ...author, ...fields }
}

function forwarded(request: number): Uint8Array {
  return encodeCommand({ ...message(`m${request}`), origin: ORIGIN, request })
}

function setUp() {
  const clock = new ManualClock()
  const world = {
    leader: NO_ONE as RaftId,
    up: new Set<RaftId>([PEER, OTHER]),
    verdict: 'taken' as ReturnType<Replica['propose']>,
    /** Request numbers that this node's own replica was asked to propose. */
    proposed: [] as number[],
    /** Request numbers by whom they were sent to. */
    sent: [] as [RaftId, number[]][],
    refusals: [] as unknown[],
  }
  const numbers = (body: Uint8Array) => [...decodeForward(body)].map(({ request }) => request)
  const replica = {
    get leader() {
      return world.leader
    },
    propose: (command: Uint8Array) => {
      if (world.verdict === 'taken') world.proposed.push(...numbers(encodeForward([command])[0]!))
      return world.verdict
    },
  } as Replica
  const forwarder = new Forwarder({
    clock,
    random: { uint32: () => ORIGIN, bytes: (length) => new Uint8Array(length) },
    logger: new RecordingLogger(),
    raftId: SELF,
    replica: () => replica,
    send: (to, kind, body) => {
      expect(kind).toBe(PeerFrameKind.forward)
      world.sent.push([to, numbers(body)])
      return true
    },
    sendJson: (_to, _kind, value) => world.refusals.push(value) > 0,
    isUp: (id) => world.up.has(id),
    leaderRef: () => null,
  })
  /** What each write was answered with, by msgId. */
  const answers = new Map<string, string>()
  const submit = (...msgIds: string[]) => {
    for (const msgId of msgIds) {
      forwarder.submit(message(msgId), (result) => {
        expect(answers.has(msgId)).toBe(false)
        answers.set(msgId, 'error' in result ? result.error.code : 'result')
      })
    }
  }
  return { clock, world, forwarder, answers, submit }
}

describe('[A6] the way of a write to the leader', () => {
  test('in arrival order, again to each new leader, until the own apply shows a result', async () => {
    const { clock, world, forwarder, answers, submit } = setUp()
    submit('m1', 'm2')
    world.leader = PEER
    forwarder.handAgain()
    submit('m3')
    await clock.settle()
    expect(world.sent).toEqual([[PEER, [1, 2, 3]]])
    forwarder.result(ORIGIN, 2, accepted(message('m2')))
    world.leader = OTHER
    forwarder.handAgain()
    await clock.settle()
    expect(world.sent[1]).toEqual([OTHER, [1, 3]])
    world.leader = SELF
    forwarder.authority()
    expect(world.proposed).toEqual([1, 3])
    expect([...answers]).toEqual([['m2', 'result']])
  })

  test('a result of another process, or of another write, settles nothing', () => {
    const { world, forwarder, answers, submit } = setUp()
    world.leader = PEER
    submit('m1')
    expect(forwarder.result(ORIGIN + 1, 1, accepted(message('m1')))).toBe(false)
    expect(forwarder.result(ORIGIN, 1, accepted(message('m9')))).toBe(false)
    expect(answers.size).toBe(0)
    expect(forwarder.result(ORIGIN, 1, accepted(message('m1')))).toBe(true)
    expect(forwarder.pending).toBe(0)
  })

  test('never handed over it is refused after 2 s; handed over its outcome is unknown after 5 s', async () => {
    const { clock, world, answers, submit } = setUp()
    submit('held')
    world.leader = PEER
    submit('sent')
    await clock.advance(2_100)
    expect([...answers]).toEqual([['held', 'NO_LEADER']])
    await clock.advance(3_000)
    expect(answers.get('sent')).toBe('OUTCOME_UNKNOWN')
  })

  test('the word of a leader that refused counts only for a write that went out once', async () => {
    const { clock, world, forwarder, answers, submit } = setUp()
    world.leader = PEER
    submit('once', 'twice')
    await clock.settle()
    forwarder.result(ORIGIN, 1, accepted(message('once')))
    submit('fresh')
    forwarder.refused([{ request: 3, code: 'OVERLOADED' }])
    forwarder.handAgain()
    forwarder.refused([{ request: 2, code: 'OVERLOADED' }])
    expect(answers.get('fresh')).toBe('OVERLOADED')
    expect(answers.has('twice')).toBe(false)
  })

  test('as leader: what comes before it has authority waits; what it cannot take it refuses', () => {
    const { world, forwarder } = setUp()
    world.leader = SELF
    world.verdict = 'notLeader'
    const [body] = encodeForward([11, 12].map(forwarded)) as [Uint8Array]
    forwarder.received(PEER, body)
    expect(world.refusals).toEqual([])
    world.verdict = 'taken'
    forwarder.authority()
    expect(world.proposed).toEqual([11, 12])
    world.verdict = 'overloaded'
    forwarder.received(PEER, body)
    expect(world.refusals).toEqual([
      [
        { request: 11, code: 'OVERLOADED' },
        { request: 12, code: 'OVERLOADED' },
      ],
    ])
  })
})
