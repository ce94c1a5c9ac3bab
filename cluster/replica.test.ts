import { describe, expect, test } from 'vitest'
import { ClusterMetrics } from './cluster-metrics.ts'
import { NO_FAILPOINTS } from './failpoints.ts'
import { MemoryLog } from './log/memory-log.ts'
import { configuration, FORMATION } from './log/testing/log-samples.ts'
import type { Logger } from './logger.ts'
import { NO_ONE, type RaftId } from './raft/types.ts'
import { Replica } from './replica.ts'
import { DEFAULT_REPLICA_OPTIONS } from './replica-options.ts'
import type { StateMachine } from './state-machine.ts'
import { ManualClock } from './testing/manual-clock.ts'
import { SeededRandom } from './testing/seeded-random.ts'

const IDS = ['1', '2', '3'].map((digit) => digit.repeat(16))

/** Formed replicas of one group on one clock, not started; links are up only once `connect` says so. */
async function group() {
  const clock = new ManualClock()
  const replicas = new Map<RaftId, Replica>()
  const links = new Set<string>()
  const silent = () => {}
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: silent }
  for (const [seed, raftId] of IDS.entries()) {
    const log = new MemoryLog({ raftId })
    await log.form({ ...FORMATION, configuration: configuration(...IDS) })
    replicas.set(raftId, newReplica(raftId, log, seed))
  }

  function newReplica(raftId: RaftId, log: MemoryLog, seed: number): Replica {
    const state = { appliedIndex: 0, appliedTerm: 0, overloaded: false, compactableIndex: 0 }
    const stateMachine = Object.assign(state, {
      prefetch: () => null,
      apply: ({ index, term }: { index: number; term: number }) => {
        state.appliedIndex = index
        state.appliedTerm = term
      },
      logPersisted: silent,
    }) as unknown as StateMachine
    return new Replica({
      options: DEFAULT_REPLICA_OPTIONS,
      clock,
      random: new SeededRandom(seed),
      log,
      logger,
      stateMachine,
      failpoints: NO_FAILPOINTS,
      metrics: new ClusterMetrics(),
      events: {
        send: (messages) => {
          for (const message of messages) {
            if (links.has(raftId + message.to)) replicas.get(message.to)!.receive(message)
          }
        },
        sendSnapshot: silent,
        pinnedSnapshot: () => Infinity,
        onLeader: silent,
        onAuthority: silent,
        encodeBatch: () => new Uint8Array(0),
        onApplied: silent,
        onSnapshotInstalled: silent,
        onConfiguration: silent,
        onFatal: (error) => {
          throw error
        },
      },
    })
  }

  const connect = (one: RaftId, other: RaftId) => {
    links.add(one + other).add(other + one)
    replicas.get(one)!.peerUp(other)
    replicas.get(other)!.peerUp(one)
  }
  return { clock, connect, replicas, all: [...replicas.values()] }
}

describe('a replica that starts', () => {
  test('[EL6] stands as soon as it reaches a majority, and no election timeout passes', async () => {
    const { clock, connect, all } = await group()
    for (const replica of all) replica.start()
    clock.advance(0)
    expect(all.map(({ leader }) => leader)).toEqual([NO_ONE, NO_ONE, NO_ONE])
    connect(IDS[0]!, IDS[1]!)
    clock.advance(0)
    const [first, second] = all.map(({ leader }) => leader)
    expect(IDS.slice(0, 2)).toContain(first)
    expect(second).toBe(first)
    expect(all.filter(({ hasAuthority }) => hasAuthority)).toHaveLength(1)
  })

  test('[EL6] leaves a leader alone whom the others hear', async () => {
    const { clock, connect, all } = await group()
    const [one, two, late] = all as [Replica, Replica, Replica]
    one.start()
    two.start()
    connect(IDS[0]!, IDS[1]!)
    clock.advance(300)
    const { leader } = one
    const { term } = one.status()
    expect(two.leader).toBe(leader)
    late.start()
    connect(IDS[2]!, IDS[0]!)
    connect(IDS[2]!, IDS[1]!)
    clock.advance(DEFAULT_REPLICA_OPTIONS.tickMs)
    expect(all.map((replica) => replica.leader)).toEqual([leader, leader, leader])
    expect(all.map((replica) => replica.status().term)).toEqual([term, term, term])
  })
})
