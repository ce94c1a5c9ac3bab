import { assert, NO_ONE, type RaftId } from '#cluster'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { type AnswerFrame, type CallFrame, decodeAnswer, decodeCall } from './call-frame.ts'
import { adminProblem } from './admin-problem.ts'
import { ClusterCalls } from './cluster-calls.ts'
import type { CallAnswer, Operation } from './operation.ts'

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(16)) as [RaftId, RaftId, RaftId]
const STRANGER = 'd'.repeat(16)
const ORIGINS: Record<RaftId, number> = { [A]: 1, [B]: 2, [C]: 3 }
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** Three nodes that believe what `world` says, joined by links that lose what a test wants. */
function cluster() {
  const clock = new ManualClock()
  const done: string[] = []
  const world = {
    leader: A as RaftId,
    down: new Set<string>(),
    loses: (_frame: CallFrame | AnswerFrame): boolean => false,
    /** Until it resolves, whoever does something is at it. */
    pause: Promise.resolve(),
    sent: 0,
  }
  const operation = (name: string, more: Partial<Operation>, self: RaftId): Operation => ({
    ...{ name, at: 'leader', isRepeatable: false },
    run: async (given) => {
      done.push(`${name} ${self[0]}`)
      await world.pause
      return { result: { by: self[0], given } }
    },
    ...more,
  })
  const nodes = new Map<RaftId, ClusterCalls>()
  for (const self of [A, B, C]) {
    const operations = [
      operation('once', {}, self),
      operation('again', { isRepeatable: true }, self),
      operation('here', { at: 'node' }, self),
      operation('large', { run: () => ({ result: { text: 'x'.repeat(300_000) } }) }, self),
      operation('refuses', { run: () => ({ problem: adminProblem('UNSAFE', 'no') }) }, self),
      operation('breaks', { run: () => assert(false, 'broken') as never }, self),
    ]
    const calls = new ClusterCalls({
      clock,
      random: { uint32: () => ORIGINS[self]!, bytes: (length) => new Uint8Array(length) },
      logger: new RecordingLogger(),
      self,
      operations: new Map(operations.map((one) => [one.name, one])),
      leader: () => world.leader,
      leads: () => world.leader === self,
      idOf: (name) => ({ n1: A, n2: B, n3: C })[name] ?? null,
      isMember: (id) => id !== STRANGER,
      isUp: (id) => !world.down.has(id),
      sendJson: (to, kind, value) => {
        world.sent += 1
        if (world.loses(value as CallFrame)) return true
        const frame = encode(value)
        clock.defer(() => {
          const peer = nodes.get(to)
          if (kind === 22) peer?.received(self, decodeCall(frame))
          else peer?.answered(self, decodeAnswer(frame))
        })
        return true
      },
    })
    nodes.set(self, calls)
  }
  const answered = (answer: Promise<CallAnswer>) => {
    const seen: { answer: CallAnswer | null } = { answer: null }
    void answer.then((value) => (seen.answer = value))
    return seen
  }
  const settle = () => clock.settle()
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 100) {
      await clock.advance(100)
      await clock.settle()
    }
  }
  return { clock, world, done, call: (from: RaftId) => nodes.get(from)!, answered, settle, pass }
}

const isAnswer = (frame: CallFrame | AnswerFrame): boolean => 'outcome' in frame

describe('calls between nodes', () => {
  test('[AD13] any node takes a call, and whoever leads does it, or the node it names', async () => {
    const { call, answered, settle, done } = cluster()
    for (const from of [A, B, C]) {
      const seen = answered(call(from).call({ operation: 'once', parameters: { x: from } }))
      await settle()
      expect(seen.answer).toEqual({ result: { by: 'a', given: { x: from } } })
    }
    const here = answered(call(A).call({ operation: 'here', node: 'n3' }))
    const own = answered(call(B).call({ operation: 'here', node: 'n2' }))
    await settle()
    expect(here.answer).toMatchObject({ result: { by: 'c' } })
    expect(own.answer).toMatchObject({ result: { by: 'b' } })
    expect(done).toEqual(['once a', 'once a', 'once a', 'here b', 'here c'])
  })

  test('[AD26] who asks for what is now waits for no connection, and for an answer as long as it takes', async () => {
    const { call, answered, settle, pass, world } = cluster()
    const ask = { operation: 'here', node: 'n2', isForNow: true }
    world.down.add(B)
    const away = answered(call(A).call(ask))
    const patient = answered(call(A).call({ ...ask, isForNow: false }))
    await settle()
    expect(away.answer).toMatchObject({ problem: { code: 'UNREACHABLE', status: 503 } })
    expect(patient.answer).toBe(null)
    world.down.delete(B)
    const slow = Promise.withResolvers<void>()
    world.pause = slow.promise
    const there = answered(call(A).call(ask))
    await pass(500)
    expect(there.answer).toBe(null)
    slow.resolve()
    await pass(200)
    expect(there.answer).toMatchObject({ result: { by: 'b' } })
    expect(patient.answer).toMatchObject({ result: { by: 'b' } })
  })

  test('[AD13] what was refused, or is too large, or broke, comes back as a problem', async () => {
    const { call, answered, settle } = cluster()
    for (const [operation, code, outcome] of [
      ['refuses', 'UNSAFE', 'notApplied'],
      ['large', 'INTERNAL', 'unknown'],
      ['breaks', 'INTERNAL', 'unknown'],
    ] as const) {
      const seen = answered(call(B).call({ operation }))
      await settle()
      expect(seen.answer).toMatchObject({ problem: { code, outcome } })
    }
    const nobody = answered(call(A).call({ operation: 'here', node: 'n9' }))
    await settle()
    expect(nobody.answer).toMatchObject({ problem: { code: 'UNKNOWN_MEMBER' } })
  })

  test('[AD14] a call that nobody can have taken waits for a leader, and follows him', async () => {
    const { world, call, answered, pass, done } = cluster()
    world.leader = NO_ONE
    const seen = answered(call(B).call({ operation: 'once' }))
    await pass(300)
    expect(seen.answer).toBeNull()
    world.leader = C
    await pass(200)
    expect(seen.answer).toMatchObject({ result: { by: 'c' } })
    // This node still takes the old one for the leader, who says that he is none.
    const late = answered(call(B).call({ operation: 'once' }))
    world.leader = A
    await pass(200)
    expect(late.answer).toMatchObject({ result: { by: 'a' } })
    expect(done).toEqual(['once c', 'once a'])
  })

  test('[AD14] without a leader, or a way to the node, it certainly did not happen', async () => {
    const { world, call, answered, pass, done } = cluster()
    world.leader = NO_ONE
    world.down.add(C)
    const nobody = answered(call(B).call({ operation: 'once', waitMs: 2_000 }))
    const away = answered(call(B).call({ operation: 'here', node: 'n3', waitMs: 2_000 }))
    await pass(2_100)
    expect(nobody.answer).toMatchObject({ problem: { code: 'NO_LEADER', outcome: 'notApplied' } })
    expect(away.answer).toMatchObject({ problem: { code: 'UNREACHABLE', outcome: 'notApplied' } })
    expect(done).toEqual([])
  })

  test('[AD14] one that may have been taken is unknown, and is not sent again', async () => {
    const { world, call, answered, pass, done } = cluster()
    world.loses = isAnswer
    const slow = answered(call(B).call({ operation: 'once', waitMs: 2_000 }))
    await pass(1_900)
    expect(slow.answer).toBeNull()
    await pass(200)
    const unknown = { problem: { code: 'OUTCOME_UNKNOWN', outcome: 'unknown' } }
    expect(slow.answer).toMatchObject(unknown)
    const cut = answered(call(B).call({ operation: 'once' }))
    await pass(100)
    world.down.add(A)
    world.leader = C
    await pass(200)
    expect(cut.answer).toMatchObject(unknown)
    expect(done).toEqual(['once a', 'once a'])
  })

  test('[AD14] one that does no harm twice is sent again, to a new leader too', async () => {
    const { world, call, answered, pass, done } = cluster()
    world.loses = isAnswer
    const seen = answered(call(B).call({ operation: 'again' }))
    await pass(200)
    world.leader = C
    world.down.add(A)
    world.loses = () => false
    await pass(300)
    expect(seen.answer).toMatchObject({ result: { by: 'c' } })
    expect(done).toEqual(['again a', 'again c'])
    const lost = answered(call(B).call({ operation: 'again', waitMs: 3_000 }))
    world.loses = isAnswer
    await pass(3_100)
    expect(lost.answer).toMatchObject({ problem: { code: 'OUTCOME_UNKNOWN' } })
  })

  test('[AD15] a copy of a call that is under way begins nothing', async () => {
    const { world, call, answered, pass, done } = cluster()
    let go = () => {}
    world.pause = new Promise<void>((resolve) => (go = resolve))
    const seen = answered(call(B).call({ operation: 'again' }))
    await pass(3_500)
    expect(done).toEqual(['again a'])
    go()
    await pass(200)
    expect(seen.answer).toMatchObject({ result: { by: 'a' } })
  })

  test('[AD15] a copy that comes after the answer gets it once more, and does nothing', async () => {
    const { world, call, answered, pass, done } = cluster()
    const copies: CallFrame[] = []
    world.loses = (frame) => {
      if (!isAnswer(frame)) copies.push(frame as CallFrame)
      return isAnswer(frame)
    }
    const seen = answered(call(B).call({ operation: 'again' }))
    await pass(500)
    world.loses = () => false
    await pass(1_000)
    expect(seen.answer).toMatchObject({ result: { by: 'a' } })
    call(A).received(B, copies[0]!)
    await pass(100)
    expect(done).toEqual(['again a'])
  })

  test('[AD15] who is no member is refused; what is asked at one time is bounded', async () => {
    const { world, call, answered, pass, done } = cluster()
    const strange = { origin: 9, id: 1, operation: 'once', parameters: '{}', waitMs: 100 }
    call(A).received(STRANGER, strange)
    expect(done).toEqual([])
    expect(world.sent).toBe(1)
    world.pause = new Promise(() => {})
    const all = Array.from({ length: 70 }, () => answered(call(B).call({ operation: 'once' })))
    await pass(100)
    const refused = all.filter(({ answer }) => answer !== null)
    expect(refused).toHaveLength(6)
    expect(refused[0]!.answer).toMatchObject({ problem: { code: 'OVERLOADED' } })
    const more = answered(call(C).call({ operation: 'once' }))
    await pass(100)
    expect(more.answer).toMatchObject({ problem: { code: 'OVERLOADED' } })
  })

  test('[AD15] an operation that the other node does not know is refused by it', async () => {
    const { call, world } = cluster()
    const frames: unknown[] = []
    world.loses = (frame) => frames.push(frame) > 0
    call(A).received(B, { origin: 2, id: 1, operation: 'new', parameters: '{}', waitMs: 100 })
    expect(frames).toMatchObject([{ outcome: 'problem', body: expect.stringContaining('upgrade') }])
  })

  test('[AD15] a node that ends leaves no caller waiting', async () => {
    const { world, call, answered, settle } = cluster()
    world.leader = NO_ONE
    const seen = answered(call(B).call({ operation: 'once' }))
    call(B).close()
    await settle()
    expect(seen.answer).toMatchObject({ problem: { code: 'NO_LEADER' } })
    const late = answered(call(B).call({ operation: 'once' }))
    await settle()
    expect(late.answer).toMatchObject({ problem: { code: 'DRAINING' } })
  })
})
