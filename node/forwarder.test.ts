import { NO_ONE, type RaftId, type Replica } from '#cluster'
import { LIMITS } from '#protocol'
import { describe, expect, test } from 'vitest'
import { decodeForward, encodeForward, type ForwardRefusal } from './forward-frame.ts'
import { Forwarder } from './forwarder.ts'
import type { Submission } from './gateway/backend.ts'
import { ManualClock } from './gateway/testing/manual-clock.ts'
import { accepted } from './gateway/testing/fake-backend.ts'
import { RecordingLogger } from './gateway/testing/recording-logger.ts'
import { encodeCommand } from './state-machine/command-codec.ts'
import { CommandKind, SYSTEM_HEAD } from './state-machine/commands.ts'
import { raise, setting } from './state-machine/testing.ts'

const SELF = 'a'.repeat(16)
const PEER = 'b'.repeat(16)
const OTHER = 'c'.repeat(16)
const ORIGIN = 7

/** Before the body of a frame. */
const HEADER_BYTES = 9

function message(msgId: string, body: Uint8Array = Uint8Array.of(0x93, 1, 2, 3)): Submission {
  const author = { user: 'alice', device: 'd1', msgId, prev: null, since: null }
  const fields = { conv: 'c1', to: null, replyTo: null, large: false, body }
  return { kind: CommandKind.message, ...author, ...fields }
}

function forwarded(request: number, origin = ORIGIN, body?: Uint8Array): Uint8Array {
  return encodeCommand({ ...message(`m${request}`, body), origin, request })
}

/** As they come out of the frames of a peer. */
const arrived = (...commands: Uint8Array[]) =>
  encodeForward(commands).flatMap((frame) => decodeForward(frame.subarray(HEADER_BYTES)))

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
    refusals: [] as ForwardRefusal[],
    level: 1,
  }
  const numbers = (frame: Uint8Array) =>
    decodeForward(frame.subarray(HEADER_BYTES)).map(({ request }) => request)
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
    level: () => world.level,
    replica: () => replica,
    limits: LIMITS,
    send: (to, frame) => world.sent.push([to, numbers(frame)]) > 0,
    sendJson: (_to, _kind, value) => world.refusals.push(...(value as ForwardRefusal[])) > 0,
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

describe('[M-13] [A6] the way of a write to the leader', () => {
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
    forwarder.refused([{ origin: ORIGIN, request: 3, code: 'OVERLOADED' }])
    forwarder.handAgain()
    forwarder.refused([{ origin: ORIGIN, request: 2, code: 'OVERLOADED' }])
    expect(answers.get('fresh')).toBe('OVERLOADED')
    expect(answers.has('twice')).toBe(false)
  })

  test('as leader: what comes before it has authority waits; what it cannot take it refuses', () => {
    const { world, forwarder } = setUp()
    world.leader = SELF
    world.verdict = 'notLeader'
    const commands = arrived(forwarded(11), forwarded(12))
    forwarder.received(PEER, commands)
    expect(world.refusals).toEqual([])
    world.verdict = 'taken'
    forwarder.authority()
    expect(world.proposed).toEqual([11, 12])
    world.verdict = 'overloaded'
    forwarder.received(PEER, commands)
    expect(world.refusals).toEqual([
      { origin: ORIGIN, request: 11, code: 'OVERLOADED' },
      { origin: ORIGIN, request: 12, code: 'OVERLOADED' },
    ])
  })

  test('as leader: what a client could not have sent is refused, and what comes with it is not', () => {
    const { world, forwarder } = setUp()
    world.leader = SELF
    const newer = forwarded(22)
    newer[1] = 2
    const commands = arrived(
      forwarded(21),
      newer,
      forwarded(23, 9, new Uint8Array(LIMITS.bodyBytes + 1)),
      forwarded(24, 9, Uint8Array.of(0xc1)),
      forwarded(25),
    )
    for (const verdict of ['notLeader', 'taken'] as const) {
      world.verdict = verdict
      forwarder.received(PEER, commands)
    }
    expect(world.proposed).toEqual([21, 25])
    expect(world.refusals.slice(0, 3)).toEqual([
      { origin: ORIGIN, request: 22, code: 'UNSUPPORTED' },
      { origin: 9, request: 23, code: 'PAYLOAD_TOO_LARGE' },
      { origin: 9, request: 24, code: 'INVALID_MESSAGE' },
    ])
    expect(forwarder.malformedCommands).toBe(6)
    world.leader = OTHER
    forwarder.received(PEER, commands)
    expect(world.refusals.length).toBe(6)
  })

  test('[A9] nothing above the feature level gets into the log, and it may be asked for again', () => {
    const { world, forwarder, answers } = setUp()
    const changes = { amendWithinMs: 60_000 }
    const command = { ...setting(changes), origin: 9, request: 31 }
    const submitIt = (name: string) =>
      forwarder.submit({ kind: CommandKind.settings, ...SYSTEM_HEAD, changes }, (result) => {
        answers.set(name, 'error' in result ? result.error.code : 'result')
      })
    world.leader = SELF
    submitIt('early')
    forwarder.received(PEER, arrived(encodeCommand(command)))
    expect([...answers]).toEqual([['early', 'BEHIND']])
    expect(world.refusals).toEqual([{ origin: 9, request: 31, code: 'BEHIND' }])
    expect(world.proposed).toEqual([])
    world.level = 2
    submitIt('later')
    forwarder.received(PEER, arrived(encodeCommand(command)))
    expect(world.proposed).toEqual([1, 31])
    // The level itself is raised by a leader alone.
    forwarder.received(PEER, arrived(encodeCommand({ ...raise(3), origin: 9, request: 32 })))
    expect(world.refusals.at(-1)).toEqual({ origin: 9, request: 32, code: 'INVALID_MESSAGE' })
    expect(world.proposed).toEqual([1, 31])
  })

  test('a refusal says whose write it means: one for an earlier life of this node settles nothing', () => {
    const { world, forwarder, answers, submit } = setUp()
    world.leader = PEER
    submit('m1')
    forwarder.refused([{ origin: ORIGIN + 1, request: 1, code: 'INVALID_MESSAGE' }])
    expect(answers.size).toBe(0)
    forwarder.refused([{ origin: ORIGIN, request: 1, code: 'INVALID_MESSAGE' }])
    expect([...answers]).toEqual([['m1', 'INVALID_MESSAGE']])
  })
})
