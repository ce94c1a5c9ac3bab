import { describe, expect, test } from 'vitest'
import { TestCluster } from './testing/test-cluster.ts'
import { idOf } from './testing/test-replica.ts'
import { type Entry, Role } from './types.ts'

const isExempt = ({ data }: Entry) => data.length === 0 || Buffer.from(data).toString()[0] === '!'

/** Three, of which 1 leads and 3 has hardly any room left. */
function short(bytes = 0): TestCluster {
  const cluster = new TestCluster([1, 2, 3])
  cluster.elect(1)
  cluster.get(3).raft.limitAppends({ bytes, isExempt })
  return cluster
}

const lastOf = (cluster: TestCluster, number: number) => cluster.get(number).raft.status().lastIndex
/** What a heartbeat and its answers bring about. */
const beat = (cluster: TestCluster, times = 3) => {
  for (let i = 0; i < times; i++) {
    cluster.tick(1)
    cluster.stabilize()
  }
}

describe('a follower short of room', () => {
  test('[DL1] takes nothing but what is exempt, and the others go on', () => {
    const cluster = short()
    cluster.propose(1, '!small')
    cluster.propose(1, 'large')
    cluster.propose(1, '!behind it')
    cluster.stabilize()
    expect(lastOf(cluster, 3)).toBe(2)
    expect(cluster.get(1).raft.status().commit).toBe(4)
    beat(cluster)
    expect(lastOf(cluster, 3)).toBe(2)
    expect(cluster.get(3).raft.leader).toBe(idOf(1))
  })

  test('[DL1] takes it all once there is room, by itself', () => {
    const cluster = short()
    for (const text of ['a', 'b', 'c']) cluster.propose(1, text)
    cluster.stabilize()
    cluster.get(3).raft.limitAppends(null)
    beat(cluster)
    expect(cluster.get(3).raft.status().commit).toBe(4)
  })

  test('[DL1] takes as many bytes as it has room for', () => {
    const cluster = short(6)
    for (const text of ['four', '!and this', 'two of', '!not this']) cluster.propose(1, text)
    cluster.stabilize()
    beat(cluster)
    expect(lastOf(cluster, 3)).toBe(3)
  })

  test('[DL2] votes, and what it did not take does not count', () => {
    const cluster = short()
    cluster.propose(1, 'large')
    cluster.stabilize([1, 3])
    beat(cluster, 1)
    expect(cluster.get(1).raft.status().commit).toBe(2)
    const other = new TestCluster([1, 2, 3], { checkQuorum: false })
    other.elect(1)
    other.get(3).raft.limitAppends({ bytes: 0, isExempt })
    other.get(2).raft.limitAppends({ bytes: 0, isExempt })
    other.propose(1, 'large')
    other.stabilize()
    expect(other.get(1).raft.status().commit).toBe(1)
    other.get(2).raft.leaderConnectionClosed()
    other.stabilize([2, 3])
    expect(other.get(2).raft.role).toBe(Role.leader)
  })

  test('[DL3] is sent nothing that it would not take, while it is held', () => {
    const cluster = short()
    cluster.get(1).raft.holdAppends({ ids: new Set([idOf(3)]), isExempt })
    cluster.propose(1, '!small')
    cluster.propose(1, 'large')
    cluster.get(1).raft.ready()
    const sent: number[] = []
    for (let round = 0; round < 5; round++) {
      cluster.tick(1)
      const { messages } = cluster.get(1).ready()
      for (const message of messages) {
        if (message.type === 'append' && message.to === idOf(3)) sent.push(message.entries.length)
      }
      cluster.network.push(...messages)
      cluster.stabilize()
    }
    expect(sent.every((count) => count === 0)).toBe(true)
    cluster.get(1).raft.holdAppends(null)
    cluster.get(3).raft.limitAppends(null)
    beat(cluster)
    expect(lastOf(cluster, 3)).toBe(lastOf(cluster, 1))
  })
})
