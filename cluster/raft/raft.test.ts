import { describe, expect, test } from 'vitest'
import type { MessageOf } from './messages.ts'
import { Raft } from './raft.ts'
import { TestCluster } from './testing/test-cluster.ts'
import { configurationOf, idOf, TestReplica } from './testing/test-replica.ts'
import { EntryType, NO_ONE, Role } from './types.ts'

function trio(...options: ConstructorParameters<typeof TestCluster>): TestCluster {
  const cluster = new TestCluster(...options)
  cluster.elect(1)
  return cluster
}

function texts(replica: TestReplica): string[] {
  return replica.applied.map(({ data }) => Buffer.from(data).toString()).filter(Boolean)
}

describe('elections', () => {
  test('[EL2] a vote that was won too late to count makes no leader of a later term', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false })
    const one = cluster.get(1)
    one.raft.campaign()
    one.ready()
    // Its own vote is still being written when a later term begins.
    const term = one.raft.term + 1
    one.raft.step({
      type: 'heartbeat',
      from: idOf(2),
      to: one.id,
      term,
      commit: 0,
      acknowledged: 0,
      readId: 0,
    })
    one.persist()
    expect(one.raft.role).toBe(Role.follower)
    one.raft.step({
      type: 'voteResponse',
      from: idOf(3),
      to: one.id,
      term: term - 1,
      rejected: false,
    })
    expect(one.raft.role).toBe(Role.follower)
    expect(one.raft.leader).toBe(idOf(2))
  })

  test('[EL1] a vote is kept over a step-down within its term', () => {
    const cluster = new TestCluster([1, 2, 3], { preVote: false })
    const one = cluster.get(1)
    one.raft.campaign()
    cluster.stabilize([1])
    const { term } = one.raft
    for (const from of [2, 3]) {
      one.raft.step({ type: 'voteResponse', from: idOf(from), to: one.id, term, rejected: true })
    }
    expect(one.raft.role).toBe(Role.follower)
    expect(one.raft.status().vote).toBe(one.id)
    one.raft.step({
      type: 'vote',
      from: idOf(2),
      to: one.id,
      term,
      lastIndex: 9,
      lastTerm: 9,
      transfer: false,
    })
    expect(one.raft.status().vote).toBe(one.id)
  })

  test('[EL7] a replica of a smaller term completes an election with pre-vote', () => {
    const cluster = new TestCluster([1, 2, 3])
    cluster.elect(1)
    // Replica 3 hears nothing of the next two terms.
    const without3 = () => cluster.drop(({ to, from }) => to === idOf(3) || from === idOf(3))
    for (const leader of [2, 1]) {
      for (const number of [1, 2]) cluster.get(number).raft.transferLeadership(idOf(leader))
      cluster.stabilize([1, 2])
      without3()
    }
    expect(cluster.get(1).raft.term).toBe(3)
    expect(cluster.get(3).raft.term).toBe(1)
    // Now 1 is gone; 3 asks first and is refused for its log, then 2 wins with its vote.
    cluster.get(2).raft.leaderConnectionClosed()
    cluster.get(3).raft.leaderConnectionClosed()
    cluster.stabilize([2, 3])
    expect(cluster.get(2).raft.role).toBe(Role.leader)
    expect(cluster.get(3).raft.leader).toBe(idOf(2))
  })

  test('[EL3] granting a pre-vote changes nothing at all on the voter', () => {
    const voter = new TestReplica(1, configurationOf([1, 2, 3]))
    const before = voter.raft.status()
    for (const from of [2, 3]) {
      voter.raft.step({
        type: 'preVote',
        from: idOf(from),
        to: voter.id,
        term: 5,
        lastIndex: 3,
        lastTerm: 2,
        transfer: false,
      })
    }
    const { messages, append } = voter.ready()
    expect(append).toBeNull()
    expect(messages).toMatchObject([
      { type: 'preVoteResponse', to: idOf(2), term: 5, rejected: false },
      { type: 'preVoteResponse', to: idOf(3), term: 5, rejected: false },
    ])
    expect(voter.raft.status()).toEqual(before)
  })

  test('[EL4] with pre-vote off a follower that hears its leader still refuses votes', () => {
    const cluster = trio([1, 2, 3], { preVote: false })
    cluster.get(3).raft.campaign()
    cluster.stabilize([2, 3])
    expect(cluster.get(2).raft.term).toBe(1)
    expect(cluster.get(3).raft.role).toBe(Role.candidate)
    // Unless the leader itself asked for it.
    cluster.get(2).raft.step({
      type: 'vote',
      from: idOf(3),
      to: idOf(2),
      term: 3,
      lastIndex: 1,
      lastTerm: 1,
      transfer: true,
    })
    expect(cluster.get(2).raft.term).toBe(3)
  })

  test('[EL5] a leader whose followers answer keeps leading', () => {
    const cluster = trio([1, 2, 3])
    for (let i = 0; i < 100; i++) {
      cluster.tick(1)
      cluster.stabilize()
    }
    expect(cluster.get(1).raft.role).toBe(Role.leader)
    expect(cluster.get(1).raft.term).toBe(1)
  })

  test('[EL8] a lost state keeps a replica from standing until it is replaced', () => {
    const cluster = trio([1, 2, 3])
    cluster.propose(1, 'a')
    cluster.stabilize()
    const two = cluster.get(2)
    two.log.compact(2)
    // Only the state machine's disk was damaged; the log is whole from 3 on.
    const lost = new TestReplica(2, configurationOf([1, 2, 3]))
    lost.log.write({ hardState: two.log.hardState, entries: [], snapshot: two.log.snapshot })
    const raft = new Raft({
      id: two.id,
      log: lost.log,
      hardState: lost.log.hardState,
      configuration: configurationOf([1, 2, 3]),
      applied: 0,
      random: () => 0,
    })
    for (let i = 0; i < 50; i++) raft.tick()
    raft.campaign()
    expect(raft.role).toBe(Role.follower)
    expect(raft.ready().committed).toEqual([])
    raft.stateInstalled(lost.log.snapshot)
    raft.campaign()
    expect(raft.role).toBe(Role.preCandidate)
  })
})

describe('replication', () => {
  test('[LR5] answers that arrive out of order move nothing back', () => {
    const cluster = trio([1, 2, 3])
    const one = cluster.get(1)
    cluster.propose(1, 'a')
    cluster.network.push(...one.ready().messages)
    cluster.deliver(2)
    cluster.stabilize([2])
    const early = cluster.network.filter(({ from }) => from === idOf(2))
    cluster.stabilize()
    cluster.propose(1, 'b')
    cluster.stabilize()
    const before = one.raft.status()
    for (const message of early) one.raft.step(message)
    const stale: MessageOf<'appendResponse'> = {
      type: 'appendResponse',
      from: idOf(2),
      to: one.id,
      term: 1,
      index: 2,
      rejected: true,
      hintIndex: 1,
      hintTerm: 1,
      lastIndex: 1,
    }
    one.raft.step(stale)
    expect(one.raft.hasReady()).toBe(false)
    expect(one.raft.status().progress.map(({ match }) => match)).toEqual(
      before.progress.map(({ match }) => match),
    )
  })

  test('[LR3] the completion of a write of an older term does not count for the leader', () => {
    const cluster = trio([1, 2, 3], { preVote: false, checkQuorum: false })
    const one = cluster.get(1)
    cluster.propose(1, 'a')
    one.ready()
    // It steps down and is elected again while that write is under way.
    const term = 4
    one.raft.step({
      type: 'heartbeat',
      from: idOf(2),
      to: one.id,
      term,
      commit: 0,
      acknowledged: 0,
      readId: 0,
    })
    one.persist()
    expect(one.raft.status().persisted).toBe(1)
    // The write of the new term confirms what the old one left open.
    one.ready()
    one.persist()
    expect(one.raft.status().persisted).toBe(2)
  })

  test('[LR8] proposals above the quota are refused until entries were handed out', () => {
    const cluster = new TestCluster([1, 2, 3], { maxUncommittedBytes: 100 })
    cluster.elect(1)
    const { raft } = cluster.get(1)
    // One is always let through, whatever its size.
    expect(raft.propose([Buffer.alloc(1000)]).accepted).toBe(true)
    expect(raft.propose([Buffer.alloc(1)])).toMatchObject({ accepted: false, reason: 'quota' })
    cluster.stabilize()
    for (let i = 0; i < 10; i++) expect(raft.propose([Buffer.alloc(10)]).accepted).toBe(true)
    expect(raft.propose([Buffer.alloc(10)])).toMatchObject({ accepted: false, reason: 'quota' })
    cluster.stabilize()
    expect(raft.propose([Buffer.alloc(100)]).accepted).toBe(true)
  })

  test('[LR7] committed entries are handed out within a bound, and no more until they are applied', () => {
    const one = new TestReplica(1, configurationOf([1]), { maxCommittedBytes: 10 })
    one.raft.campaign()
    for (let i = 0; i < 6; i++) {
      one.ready()
      one.persist()
    }
    one.raft.propose([Buffer.alloc(6), Buffer.alloc(6), Buffer.alloc(50), Buffer.alloc(1)])
    const { append } = one.raft.ready()
    one.log.write(append!)
    one.raft.persisted(append!.ticket)
    const sizes = () => one.raft.ready().committed.map(({ data }) => data.length)
    expect(sizes()).toEqual([6])
    expect(sizes()).toEqual([6])
    expect(one.raft.hasReady()).toBe(false)
    one.raft.applied(one.raft.status().applied + 1)
    expect(one.raft.hasReady()).toBe(false)
    one.raft.applied(one.raft.status().applied + 1)
    expect(sizes()).toEqual([50])
    one.raft.applied(one.raft.status().applied + 1)
    expect(sizes()).toEqual([1])
  })

  test('[LR7] nothing is applied before it is durable here, though a majority has it', () => {
    const cluster = trio([1, 2, 3])
    const one = cluster.get(1)
    cluster.propose(1, 'a')
    cluster.network.push(...one.ready().messages)
    cluster.deliver(2)
    cluster.deliver(3)
    cluster.stabilize([2, 3])
    cluster.deliver(1)
    expect(one.raft.commit).toBe(2)
    cluster.network.push(...one.ready().messages)
    expect(texts(one)).toEqual([])
    one.persist()
    one.ready()
    expect(texts(one)).toEqual(['a'])
  })

  test('[LR2] acknowledgements of what was never sent are a broken invariant', () => {
    const cluster = trio([1, 2, 3])
    const bogus: MessageOf<'appendResponse'> = {
      type: 'appendResponse',
      from: idOf(2),
      to: idOf(1),
      term: 1,
      index: 99,
      rejected: false,
      hintIndex: 0,
      hintTerm: 0,
      lastIndex: 99,
    }
    expect(() => cluster.get(1).raft.step(bogus)).toThrow('never sent')
  })

  test('[LR5] a long backlog travels in messages of bounded size, several under way', () => {
    const cluster = new TestCluster([1, 2, 3], { maxAppendBytes: 20, maxInflightMessages: 3 })
    cluster.elect(1)
    for (let i = 0; i < 40; i++) cluster.propose(1, `entry ${i}`)
    cluster.network.push(...cluster.get(1).ready().messages)
    const appends = cluster.network.filter(
      (message): message is MessageOf<'append'> =>
        message.type === 'append' && message.to === idOf(2),
    )
    expect(appends.map(({ entries }) => entries.length)).toEqual([2, 2, 2])
    cluster.stabilize()
    expect(texts(cluster.get(2))).toHaveLength(40)
    expect(texts(cluster.get(2))).toEqual(texts(cluster.get(1)))
  })

  test('[CM3] a follower commits no further than the last entry of the append', () => {
    const one = new TestReplica(1, configurationOf([1, 2, 3]))
    const entries = [1, 2, 3].map((index) => {
      return { term: 1, index, type: EntryType.normal, data: Buffer.from('x') }
    })
    one.log.write({ hardState: { term: 1, vote: NO_ONE, commit: 0 }, entries, snapshot: null })
    one.restart({ keepWrite: false })
    // Entries 2 and 3 are another leader's; only entry 1 is known to agree.
    one.raft.step({
      type: 'append',
      from: idOf(2),
      to: one.id,
      term: 2,
      prevIndex: 1,
      prevTerm: 1,
      commit: 3,
      entries: [],
    })
    expect(one.raft.commit).toBe(1)
  })

  test('[CM3] a commit message counts only where the entry there has the sender’s term', () => {
    const one = new TestReplica(1, configurationOf([1, 2, 3]))
    const data = Buffer.from('old')
    const entry = { term: 1, index: 1, type: 0, data } as const
    one.log.write({
      hardState: { term: 2, vote: NO_ONE, commit: 0 },
      entries: [entry],
      snapshot: null,
    })
    one.restart({ keepWrite: false })
    one.raft.step({ type: 'commit', from: idOf(2), to: one.id, term: 2, commit: 1 })
    expect(one.raft.commit).toBe(0)
    one.raft.step({ type: 'commit', from: idOf(2), to: one.id, term: 2, commit: 7 })
    expect(one.raft.commit).toBe(0)
  })
})

describe('snapshots', () => {
  test('[SN3] a snapshot at or below the commit index changes nothing', () => {
    const cluster = trio([1, 2, 3])
    cluster.propose(1, 'a')
    cluster.stabilize()
    const two = cluster.get(2)
    const before = two.raft.status()
    for (const index of [1, 2]) {
      const snapshot = { index, term: 1, configuration: configurationOf([9]) }
      two.raft.step({ type: 'snapshot', from: idOf(1), to: idOf(2), term: 1, snapshot })
      const { append, messages } = two.ready()
      expect(append).toBeNull()
      expect(messages).toMatchObject([{ type: 'appendResponse', rejected: false, index: 2 }])
    }
    expect(two.raft.status()).toEqual(before)
    expect(two.raft.configuration).toEqual(configurationOf([1, 2, 3]))
  })
})

describe('reads', () => {
  test('[RI2] an answer to an earlier round confirms no later read', () => {
    const cluster = trio([1, 2, 3])
    const one = cluster.get(1)
    one.raft.readIndex(1)
    cluster.network.push(...one.ready().messages)
    cluster.deliver(2)
    cluster.deliver(3)
    cluster.stabilize([2, 3])
    const late = cluster.drop(({ to }) => to === one.id)
    expect(late.map(({ type }) => type)).toEqual(['heartbeatResponse', 'heartbeatResponse'])
    cluster.tick(1)
    cluster.network.push(...one.ready().messages)
    cluster.stabilize()
    expect(one.reads).toEqual([{ readId: 1, index: 1 }])

    cluster.propose(1, 'a')
    cluster.stabilize()
    one.raft.readIndex(2)
    one.ready()
    for (const message of late) one.raft.step(message)
    for (const message of late) one.raft.step({ ...message, from: idOf(3) })
    one.ready()
    expect(one.reads).toHaveLength(1)
  })

  test('[RI3] the same message twice is answered once at the asker', () => {
    const cluster = trio([1, 2, 3])
    cluster.get(2).raft.readIndex(5)
    cluster.network.push(...cluster.get(2).ready().messages)
    cluster.network.push(...cluster.network.filter(({ type }) => type === 'readIndex'))
    cluster.stabilize()
    expect(cluster.get(2).reads).toEqual([{ readId: 5, index: 1 }])
  })

  test('[RI3] an answer to an earlier life of the asker is not taken for this one’s', () => {
    let life = 0
    const cluster = new TestCluster([1, 2, 3], { random: () => life })
    cluster.elect(1)
    cluster.get(2).raft.readIndex(5)
    cluster.network.push(...cluster.get(2).ready().messages)
    cluster.deliver(1)
    cluster.stabilize([1, 3])
    const answered = () => cluster.network.some(({ type }) => type === 'readIndexResponse')
    expect(answered()).toBe(true)
    life = 1
    cluster.get(2).restart({ keepWrite: false })
    cluster.propose(1, 'newer')
    cluster.stabilize([1, 3])
    const late = cluster.drop(({ type }) => type === 'readIndexResponse')
    cluster.tick(1)
    cluster.stabilize()
    cluster.get(2).raft.readIndex(5)
    for (const message of late) cluster.get(2).raft.step(message)
    cluster.get(2).ready()
    expect(cluster.get(2).reads).toEqual([])
  })

  test('[RI2] a group of one confirms itself', () => {
    const one = new TestCluster([1])
    one.elect(1)
    one.get(1).raft.readIndex(3)
    one.stabilize()
    expect(one.get(1).reads).toEqual([{ readId: 3, index: 1 }])
  })

  test('[RI4] reads above the bound are refused', () => {
    const cluster = trio([1, 2, 3], { maxPendingReads: 2 })
    for (const readId of [1, 2, 3]) cluster.get(1).raft.readIndex(readId)
    for (const readId of [4, 5, 6]) cluster.get(2).raft.readIndex(readId)
    cluster.get(1).ready()
    cluster.get(2).ready()
    expect(cluster.get(1).reads).toEqual([{ readId: 3, index: 0 }])
    expect(cluster.get(2).reads).toEqual([{ readId: 6, index: 0 }])
  })
})
