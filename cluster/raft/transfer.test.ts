import { describe, expect, test } from 'vitest'
import { TestCluster } from './testing/test-cluster.ts'
import { configurationOf, idOf } from './testing/test-replica.ts'
import { NO_ONE, Role } from './types.ts'

function led(...options: ConstructorParameters<typeof TestCluster>): TestCluster {
  const cluster = new TestCluster(...options)
  cluster.elect(1)
  return cluster
}

function transferee(cluster: TestCluster): string {
  return cluster.get(1).raft.status().transferee
}

describe('leadership transfer', () => {
  test.each([true, false])(
    '[TR1] to an up-to-date follower and back, check-quorum %s',
    (checkQuorum) => {
      const cluster = led([1, 2, 3], { checkQuorum })
      for (const [from, to] of [
        [1, 3],
        [3, 1],
      ] as const) {
        expect(cluster.get(from).raft.transferLeadership(idOf(to))).toEqual({ accepted: true })
        cluster.stabilize()
        expect(cluster.get(to).raft.role).toBe(Role.leader)
        expect(cluster.get(from).raft.leader).toBe(idOf(to))
      }
      expect(cluster.get(1).raft.term).toBe(3)
    },
  )

  test('[TR1] is refused to oneself, strangers, learners and by followers', () => {
    const cluster = led([1, 2, 3], {}, { learners: [4] })
    const { raft } = cluster.get(1)
    expect(raft.transferLeadership(idOf(1))).toMatchObject({ reason: 'alreadyLeader' })
    expect(raft.transferLeadership(idOf(9))).toMatchObject({ reason: 'notVoter' })
    expect(raft.transferLeadership(idOf(4))).toMatchObject({ reason: 'notVoter' })
    expect(cluster.get(2).raft.transferLeadership(idOf(3))).toMatchObject({ reason: 'notLeader' })
    expect(transferee(cluster)).toBe(NO_ONE)
  })

  test('[TR1] waits for a follower that needs a snapshot first', () => {
    const cluster = led([1, 2, 3])
    cluster.propose(1, 'a')
    cluster.stabilize([1, 2])
    cluster.drop(({ to }) => to === idOf(3))
    cluster.get(1).log.compact(2)
    cluster.get(1).raft.reportUnreachable(idOf(3))
    cluster.get(1).raft.transferLeadership(idOf(3))
    cluster.tick(1)
    cluster.stabilize()
    expect(cluster.get(3).raft.role).toBe(Role.leader)
    expect(cluster.get(3).log.snapshot.index).toBe(2)
  })

  test('[TR2] is given up after an election timeout, and another target may follow', () => {
    const cluster = led([1, 2, 3])
    const { raft } = cluster.get(1)
    raft.transferLeadership(idOf(3))
    cluster.tick(1, 10)
    expect(transferee(cluster)).toBe(NO_ONE)
    cluster.stabilize([1, 2])
    raft.transferLeadership(idOf(2))
    cluster.stabilize([1, 2])
    expect(cluster.get(2).raft.role).toBe(Role.leader)
  })

  test('[TR2] asked twice for the same target does not prolong the wait; another target replaces it', () => {
    const cluster = led([1, 2, 3])
    const { raft } = cluster.get(1)
    raft.transferLeadership(idOf(3))
    cluster.tick(1, 9)
    raft.transferLeadership(idOf(3))
    cluster.tick(1, 1)
    expect(transferee(cluster)).toBe(NO_ONE)
    cluster.get(2).raft.step({
      type: 'heartbeat',
      from: idOf(1),
      to: idOf(2),
      term: 1,
      commit: 0,
      acknowledged: 0,
      readId: 0,
    })
    raft.transferLeadership(idOf(3))
    raft.transferLeadership(idOf(2))
    expect(transferee(cluster)).toBe(idOf(2))
  })

  test('[TR2] ends when the target is removed or made a learner', () => {
    for (const next of [configurationOf([1, 2]), configurationOf([1, 2], [3])]) {
      const cluster = led([1, 2, 3])
      const { raft } = cluster.get(1)
      expect(raft.proposeConfiguration(next).accepted).toBe(true)
      cluster.stabilize([1, 2])
      expect(raft.transferLeadership(idOf(3))).toMatchObject({ reason: 'notVoter' })
    }
  })

  test('[TR2] ends when a higher term shows up', () => {
    const cluster = led([1, 2, 3])
    const { raft } = cluster.get(1)
    raft.transferLeadership(idOf(3))
    raft.step({
      type: 'heartbeat',
      from: idOf(2),
      to: idOf(1),
      term: 9,
      commit: 0,
      acknowledged: 0,
      readId: 0,
    })
    expect(raft.role).toBe(Role.follower)
    expect(transferee(cluster)).toBe(NO_ONE)
  })

  test('[TR2] proposals and changes of members are refused meanwhile', () => {
    const cluster = led([1, 2, 3])
    const { raft } = cluster.get(1)
    raft.transferLeadership(idOf(3))
    expect(raft.propose([Buffer.from('x')])).toMatchObject({ reason: 'transferring' })
    expect(raft.proposeConfiguration(configurationOf([1, 2]))).toMatchObject({
      reason: 'transferring',
    })
  })

  test('[TR1] a target that is no voter by its own log does not stand', () => {
    const cluster = led([1, 2], {}, { learners: [3] })
    cluster.get(3).raft.step({ type: 'timeoutNow', from: idOf(1), to: idOf(3), term: 1 })
    expect(cluster.get(3).raft.role).toBe(Role.follower)
    expect(cluster.get(3).raft.term).toBe(1)
  })
})
