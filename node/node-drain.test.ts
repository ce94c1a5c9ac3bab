import { NO_ONE, type RaftId, type Replica } from '#cluster'
import { describe, expect, test } from 'vitest'
import { ManualClock } from './gateway/testing/manual-clock.ts'
import { RecordingLogger } from './gateway/testing/recording-logger.ts'
import { type DrainPhase, NodeDrain } from './node-drain.ts'

const [SELF, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(16)) as [RaftId, RaftId, RaftId]

/** A node that leads, with two followers; `takesOver` are those who take leadership when asked. */
function setUp() {
  const clock = new ManualClock()
  const world = {
    leader: SELF,
    fitness: new Map<RaftId, number>(),
    takesOver: new Set<RaftId>([B, C]),
    asked: [] as RaftId[],
    events: [] as string[],
    gone: () => {},
    ending: false,
  }
  const replica = {
    raftId: SELF,
    get leader() {
      return world.leader
    },
    status: () => ({
      progress: [SELF, B, C].map((id, at) => ({ id, learner: false, match: [9, 7, 8][at]! })),
    }),
    transferLeadership: (to: RaftId) => {
      world.asked.push(to)
      if (world.takesOver.has(to)) world.leader = to
    },
  } as unknown as Replica
  const drain = new NodeDrain({
    clock,
    logger: new RecordingLogger(),
    ending: () => world.ending,
    replica: () => replica,
    fitness: (id) => world.fitness.get(id) ?? 2,
    sendClientsAway: () => {
      world.events.push('away')
      return new Promise((resolve) => (world.gone = resolve))
    },
    takeClients: () => world.events.push('take'),
    onPhase: (phase: DrainPhase) => world.events.push(phase),
    onSettled: () => world.events.push('settled'),
    counts: () => ({ clients: 3, writes: 1 }),
  })
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 50) {
      await clock.advance(50)
      await clock.settle()
    }
  }
  return { clock, world, drain, pass }
}

describe('a drain', () => {
  test('[DR1] leadership goes first, then the clients, and the view says how far it is', async () => {
    const { world, drain, pass } = setUp()
    let isDone = false
    void drain.begin(10_000).then(() => (isDone = true))
    expect(drain.view()).toEqual({ phase: 'leadership', leads: false, clients: 3, writes: 1 })
    // The one that has most.
    expect(world.asked).toEqual([C])
    await pass(100)
    expect(world.events).toEqual(['leadership', 'clients', 'away'])
    expect(isDone).toBe(false)
    world.gone()
    await pass(50)
    expect(drain.phase).toBe('drained')
    expect(isDone).toBe(true)
  })

  test('[DR1] who drains, or does not answer, is not handed leadership', async () => {
    const { world, drain, pass } = setUp()
    world.fitness.set(C, 0).set(B, 1)
    void drain.begin(10_000)
    await pass(100)
    expect(world.asked).toEqual([B])
  })

  test('[DR1] one who does not take it is asked again; then the clients go all the same', async () => {
    const { world, drain, pass } = setUp()
    world.takesOver.clear()
    void drain.begin(10_000)
    await pass(2_900)
    expect(world.events).toEqual(['leadership'])
    expect(world.asked.length).toBeGreaterThan(3)
    await pass(200)
    expect(world.events).toEqual(['leadership', 'clients', 'away'])
    expect(drain.view().leads).toBe(true)
  })

  test('[DR1] with nobody to take it nothing is waited for', async () => {
    const { world, drain, pass } = setUp()
    world.fitness.set(B, 0).set(C, 0)
    void drain.begin(10_000)
    await pass(50)
    expect(world.events).toEqual(['leadership', 'clients', 'away'])
  })

  test('[DR2] a drained node that is elected hands leadership on, until it is undone', async () => {
    const { world, drain, pass } = setUp()
    void drain.begin(10_000)
    await pass(100)
    world.gone()
    await pass(50)
    world.leader = SELF
    await pass(1_100)
    expect(world.leader).toBe(C)
    drain.undo()
    world.leader = SELF
    await pass(3_000)
    expect(world.leader).toBe(SELF)
    expect(world.events.slice(-2)).toEqual(['serving', 'take'])
    expect(drain.phase).toBe('serving')
  })

  test('[DR1] a node that was told to end is not taken back by an operator', async () => {
    const { world, drain, pass } = setUp()
    let isDone = false
    void drain.begin(10_000).then(() => (isDone = true))
    await pass(100)
    world.ending = true
    drain.undo()
    await pass(100)
    expect([drain.phase, isDone]).toEqual(['clients', false])
    world.gone()
    await pass(50)
    expect([drain.phase, isDone]).toEqual(['drained', true])
  })

  test('[DR2] undone while clients leave it ends nothing later, and can begin anew', async () => {
    const { world, drain, pass } = setUp()
    world.leader = NO_ONE
    void drain.begin(10_000)
    await pass(50)
    const gone = world.gone
    drain.undo()
    gone()
    await pass(12_000)
    expect(drain.phase).toBe('serving')
    expect(world.events).toEqual(['leadership', 'clients', 'away', 'serving', 'take'])
    void drain.begin(10_000)
    await pass(50)
    world.gone()
    await pass(11_200)
    expect(world.events.slice(5)).toEqual(['leadership', 'clients', 'away', 'drained', 'settled'])
  })
})
