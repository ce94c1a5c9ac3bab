import { describe, expect, test } from 'vitest'
import type { Message, MessageOf, MessageType } from './messages.ts'
import type { Ready } from './ready.ts'
import { TestCluster } from './testing/test-cluster.ts'
import { configurationOf, idOf, TestReplica, type TestOptions } from './testing/test-replica.ts'
import { EntryType, NO_ONE, Role, type Entry } from './types.ts'

/** The sentences of the Raft paper (Ongaro and Ousterhout, extended version), one test each. */

const SIMPLE: TestOptions = { preVote: false, checkQuorum: false }

function entries(...terms: number[]): Entry[] {
  return terms.map((term, at) => ({
    term,
    index: at + 1,
    type: EntryType.normal,
    data: Buffer.from(`${term}.${at + 1}`),
  }))
}

function replica(
  voters: number,
  disk: { term?: number; vote?: string; terms?: number[]; commit?: number } = {},
  options: TestOptions = SIMPLE,
): TestReplica {
  const one = new TestReplica(1, configurationOf(numbers(voters)), options)
  const { term = 0, vote = NO_ONE, terms = [], commit = 0 } = disk
  const hardState = { term, vote, commit }
  one.log.write({ hardState, entries: entries(...terms), snapshot: null })
  one.restart({ keepWrite: false })
  return one
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

/** Everything the replica says and does until it rests; its writes complete at once. */
function settle(one: TestReplica): { messages: Message[]; readies: Ready[] } {
  const messages: Message[] = []
  const readies: Ready[] = []
  while (one.raft.hasReady()) {
    const ready = one.ready()
    readies.push(ready)
    messages.push(...ready.messages, ...one.persist())
  }
  return { messages, readies }
}

function ofType<T extends MessageType>(messages: readonly Message[], type: T): MessageOf<T>[] {
  return messages.filter((message): message is MessageOf<T> => message.type === type)
}

function grant(one: TestReplica, from: number): void {
  one.raft.step({
    type: 'voteResponse',
    from: idOf(from),
    to: one.id,
    term: one.raft.term,
    rejected: false,
  })
}

function acknowledge(one: TestReplica, from: number, index: number): void {
  one.raft.step({
    type: 'appendResponse',
    from: idOf(from),
    to: one.id,
    term: one.raft.term,
    index,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
    lastIndex: index,
  })
}

/** Elected by all, its first entry acknowledged by all. */
function elected(voters: number, options: TestOptions = SIMPLE): TestReplica {
  const one = replica(voters, {}, options)
  one.raft.campaign()
  settle(one)
  for (let peer = 2; peer <= voters; peer++) grant(one, peer)
  settle(one)
  for (let peer = 2; peer <= voters; peer++) acknowledge(one, peer, one.raft.lastIndex)
  settle(one)
  return one
}

function append(
  one: TestReplica,
  fields: {
    term: number
    prevIndex?: number
    prevTerm?: number
    commit?: number
    entries?: Entry[]
  },
): void {
  one.raft.step({
    type: 'append',
    from: idOf(2),
    to: one.id,
    prevIndex: 0,
    prevTerm: 0,
    commit: 0,
    entries: [],
    ...fields,
  })
}

describe('§5.1 Raft basics', () => {
  test.each(['follower', 'candidate', 'leader'] as const)(
    '[EL1] a %s that sees a larger term adopts it and becomes a follower',
    (role) => {
      const one = role === 'leader' ? elected(3) : replica(3)
      if (role === 'candidate') {
        one.raft.campaign()
        settle(one)
      }
      expect(one.raft.role).toBe(role)
      append(one, { term: 7 })
      expect(one.raft.role).toBe(Role.follower)
      expect(one.raft.term).toBe(7)
      expect(one.raft.leader).toBe(idOf(2))
    },
  )

  test('[EL7] a request with a stale term is rejected', () => {
    const one = replica(3, { term: 5 })
    append(one, { term: 4, entries: entries(4) })
    const [answer] = ofType(settle(one).messages, 'appendResponse')
    expect(answer).toMatchObject({ term: 5, rejected: true })
    expect(one.raft.lastIndex).toBe(0)
    expect(one.raft.leader).toBe(NO_ONE)
  })
})

describe('§5.2 leader election', () => {
  test('[EL1] replicas start as followers', () => {
    expect(replica(3).raft.role).toBe(Role.follower)
  })

  test('[EL5] a leader sends heartbeats to all followers periodically', () => {
    const one = elected(3, { ...SIMPLE, heartbeatTicks: 2 })
    one.raft.tick()
    expect(ofType(settle(one).messages, 'heartbeat')).toEqual([])
    one.raft.tick()
    expect(ofType(settle(one).messages, 'heartbeat').map(({ to }) => to)).toEqual([
      idOf(2),
      idOf(3),
    ])
  })

  test.each(['follower', 'candidate'] as const)(
    '[EL1] a %s that hears nothing over an election timeout begins an election: a new term, its own vote, requests to all',
    (role) => {
      const one = replica(3, { term: 1 })
      if (role === 'candidate') {
        one.raft.campaign()
        settle(one)
      }
      const before = one.raft.term
      for (let i = 0; i < 20; i++) one.raft.tick()
      expect(one.raft.role).toBe(Role.candidate)
      expect(one.raft.term).toBeGreaterThan(before)
      expect(one.raft.status().vote).toBe(one.id)
      const votes = ofType(settle(one).messages, 'vote')
      expect(votes.map(({ to, term }) => ({ to, term }))).toEqual([
        { to: idOf(2), term: one.raft.term },
        { to: idOf(3), term: one.raft.term },
      ])
    },
  )

  test.each([
    { voters: 1, granted: [], rejected: [], role: Role.leader },
    { voters: 3, granted: [2, 3], rejected: [], role: Role.leader },
    { voters: 3, granted: [2], rejected: [], role: Role.leader },
    { voters: 5, granted: [2, 3, 4, 5], rejected: [], role: Role.leader },
    { voters: 5, granted: [2, 3], rejected: [], role: Role.leader },
    { voters: 3, granted: [], rejected: [2, 3], role: Role.follower },
    { voters: 5, granted: [2], rejected: [3, 4, 5], role: Role.follower },
    { voters: 3, granted: [], rejected: [], role: Role.candidate },
    { voters: 5, granted: [2], rejected: [], role: Role.candidate },
    { voters: 5, granted: [], rejected: [2, 3], role: Role.candidate },
  ])(
    '[EL1] of $voters, with votes of $granted and refusals of $rejected, a candidate becomes a $role',
    ({ voters, granted, rejected, role }) => {
      const one = replica(voters)
      one.raft.campaign()
      settle(one)
      const term = one.raft.term
      for (const from of granted) grant(one, from)
      for (const from of rejected) {
        one.raft.step({ type: 'voteResponse', from: idOf(from), to: one.id, term, rejected: true })
      }
      expect(one.raft.role).toBe(role)
      expect(one.raft.term).toBe(1)
    },
  )

  test.each([
    { vote: NO_ONE, from: 2, granted: true },
    { vote: NO_ONE, from: 3, granted: true },
    { vote: idOf(2), from: 2, granted: true },
    { vote: idOf(3), from: 3, granted: true },
    { vote: idOf(2), from: 3, granted: false },
    { vote: idOf(3), from: 2, granted: false },
  ])(
    '[EL1] one vote a term, first come: having voted for "$vote", $from gets $granted',
    (example) => {
      const { vote, from, granted } = example
      const one = replica(3, { term: 1, vote })
      one.raft.step({
        type: 'vote',
        from: idOf(from),
        to: one.id,
        term: 1,
        lastIndex: 0,
        lastTerm: 0,
        transfer: false,
      })
      expect(ofType(settle(one).messages, 'voteResponse')).toMatchObject([
        { term: 1, rejected: !granted },
      ])
    },
  )

  test.each([1, 2])(
    '[EL1] a candidate that hears a leader of term %s becomes its follower',
    (term) => {
      const one = replica(3)
      one.raft.campaign()
      settle(one)
      append(one, { term })
      expect(one.raft.role).toBe(Role.follower)
      expect(one.raft.term).toBe(term)
      expect(one.raft.leader).toBe(idOf(2))
    },
  )

  test.each(['follower', 'candidate'] as const)(
    '[EL1] the election timeout of a %s is random between one and two of the configured',
    (role) => {
      const seen = new Set<number>()
      for (let chance = 0; chance < 50; chance++) {
        const one = replica(3, {}, { ...SIMPLE, random: () => chance })
        if (role === 'candidate') one.raft.campaign()
        const before = one.raft.term
        let ticks = 0
        while (one.raft.term === before) {
          one.raft.tick()
          ticks++
        }
        expect(ticks).toBeGreaterThanOrEqual(10)
        expect(ticks).toBeLessThan(20)
        seen.add(ticks)
      }
      expect(seen.size).toBe(10)
    },
  )

  test.each(['follower', 'candidate'] as const)(
    '[EL1] split votes are rare: mostly one %s of five wakes alone',
    (role) => {
      let state = 1
      const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8
      let conflicts = 0
      for (let round = 0; round < 1000; round++) {
        const all = numbers(5).map(() => replica(5, {}, { ...SIMPLE, random }))
        if (role === 'candidate') for (const one of all) one.raft.campaign()
        const before = all[0]!.raft.term
        let woken = 0
        while (woken === 0) {
          for (const one of all) {
            one.raft.tick()
            if (one.raft.term > before) woken++
          }
        }
        if (woken > 1) conflicts++
      }
      // Ten values for five replicas; the probability of a shared smallest one is about 0.3.
      expect(conflicts / 1000).toBeLessThan(0.4)
    },
  )
})

describe('§5.3 log replication', () => {
  test('[LR1] a leader appends a command and sends it to all at once', () => {
    const one = elected(3)
    const { lastIndex } = one.raft
    one.raft.propose([Buffer.from('some data')])
    expect(one.raft.lastIndex).toBe(lastIndex + 1)
    const { messages } = one.ready()
    expect(ofType(messages, 'append')).toMatchObject(
      [2, 3].map((to) => ({
        to: idOf(to),
        prevIndex: lastIndex,
        prevTerm: 1,
        commit: lastIndex,
        entries: [{ index: lastIndex + 1, term: 1, data: Buffer.from('some data') }],
      })),
    )
  })

  test('[CM1] an entry on a majority is committed, applied, and its index sent on', () => {
    const one = elected(3)
    const { lastIndex } = one.raft
    one.raft.propose([Buffer.from('some data')])
    settle(one)
    acknowledge(one, 2, lastIndex + 1)
    expect(one.raft.commit).toBe(lastIndex + 1)
    const ready = one.ready()
    expect(ready.committed.map(({ index }) => index)).toEqual([lastIndex + 1])
    expect(ofType([...ready.messages], 'commit').map(({ commit }) => commit)).toContain(
      lastIndex + 1,
    )
  })

  test.each([
    { voters: 1, acks: [], committed: true },
    { voters: 3, acks: [], committed: false },
    { voters: 3, acks: [2], committed: true },
    { voters: 3, acks: [2, 3], committed: true },
    { voters: 5, acks: [], committed: false },
    { voters: 5, acks: [2], committed: false },
    { voters: 5, acks: [2, 3], committed: true },
    { voters: 5, acks: [2, 3, 4, 5], committed: true },
  ])(
    '[CM1] of $voters, acknowledged by $acks and its own disk: committed is $committed',
    (example) => {
      const one = elected(example.voters)
      const { lastIndex } = one.raft
      one.raft.propose([Buffer.from('x')])
      settle(one)
      for (const from of example.acks) acknowledge(one, from, lastIndex + 1)
      expect(one.raft.commit > lastIndex).toBe(example.committed)
    },
  )

  test.each([[], [2], [1, 2], [1]])(
    '[CM2] committing an entry commits those before it, of terms %j',
    (...terms) => {
      const one = replica(3, { term: 2, terms })
      one.raft.campaign()
      settle(one)
      grant(one, 2)
      settle(one)
      one.raft.propose([Buffer.from('x')])
      settle(one)
      acknowledge(one, 2, terms.length + 2)
      const { readies } = settle(one)
      const committed = readies.flatMap((ready) => ready.committed)
      expect(committed.map(({ index }) => index)).toEqual(numbers(terms.length + 2))
    },
  )

  test.each([
    { terms: [1], commit: 1 },
    { terms: [1, 1], commit: 2 },
    { terms: [1, 1], commit: 1 },
  ])(
    '[CM3] a follower applies what it learns is committed: $commit of $terms',
    ({ terms, commit }) => {
      const one = replica(3)
      append(one, { term: 1, entries: entries(...terms), commit })
      const { readies } = settle(one)
      const committed = readies.flatMap((ready) => ready.committed)
      expect(committed).toEqual(entries(...terms).slice(0, commit))
    },
  )

  test.each([
    { prevTerm: 0, prevIndex: 0, accepts: 1 },
    { prevTerm: 1, prevIndex: 1, accepts: 1 },
    { prevTerm: 2, prevIndex: 2, accepts: 2 },
    { prevTerm: 1, prevIndex: 2, accepts: null },
    { prevTerm: 3, prevIndex: 3, accepts: null },
  ])('[LR1] the consistency check: term $prevTerm at $prevIndex gives $accepts', (example) => {
    const one = replica(3, { term: 1, terms: [1, 2].map(() => 1) })
    one.log.write({
      hardState: { term: 2, vote: NO_ONE, commit: 1 },
      entries: entries(1, 2),
      snapshot: null,
    })
    one.restart({ keepWrite: false })
    append(one, { term: 2, prevTerm: example.prevTerm, prevIndex: example.prevIndex })
    const [answer] = ofType(settle(one).messages, 'appendResponse')
    if (example.accepts === null) {
      expect(answer).toMatchObject({ rejected: true, index: example.prevIndex })
      expect(answer!.hintIndex).toBeLessThanOrEqual(2)
    } else {
      expect(answer).toMatchObject({ rejected: false, index: example.accepts })
    }
  })

  test.each([
    { prev: [2, 2], sent: [3], log: [1, 2, 3] },
    { prev: [1, 1], sent: [3, 4], log: [1, 3, 4] },
    { prev: [0, 0], sent: [1], log: [1, 2] },
    { prev: [0, 0], sent: [3], log: [3] },
  ])(
    '[LR1] a follower keeps what agrees and replaces what conflicts: $sent after $prev',
    (example) => {
      const one = replica(3, { term: 4, terms: [1, 2] })
      const [prevIndex = 0, prevTerm = 0] = example.prev
      const sent = example.sent.map((term, at) => ({
        ...entries(term)[0]!,
        index: prevIndex + 1 + at,
      }))
      append(one, { term: 4, prevIndex, prevTerm, entries: sent })
      settle(one)
      expect(one.log.all().map(({ term }) => term)).toEqual(example.log)
    },
  )

  test.each([
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ])('[LR1] a leader makes a follower’s log its own (figure 7)', (...terms) => {
    const cluster = new TestCluster([1, 2, 3], SIMPLE)
    const disk = { term: 7, vote: NO_ONE, commit: 0 }
    const leading = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
    cluster.get(1).log.write({ hardState: disk, entries: entries(...leading), snapshot: null })
    cluster.get(2).log.write({ hardState: disk, entries: entries(...terms), snapshot: null })
    for (const number of [1, 2]) cluster.get(number).restart({ keepWrite: false })
    // The third grants the vote that the second may refuse.
    cluster.elect(1)
    cluster.propose(1, 'last')
    cluster.stabilize()
    expect(cluster.get(2).log.all()).toEqual(cluster.get(1).log.all())
    expect(cluster.get(2).log.all().slice(0, 10)).toEqual(entries(...leading))
  })
})

describe('§5.4 safety', () => {
  test('[EL1] a vote request names the last entry', () => {
    const one = replica(3, { term: 2, terms: [1, 2] })
    one.raft.campaign()
    expect(ofType(settle(one).messages, 'vote')).toMatchObject([
      { to: idOf(2), term: 3, lastIndex: 2, lastTerm: 2 },
      { to: idOf(3), term: 3, lastIndex: 2, lastTerm: 2 },
    ])
  })

  test.each([
    { own: [1], last: [1, 1], granted: true },
    { own: [1], last: [1, 2], granted: true },
    { own: [1, 1], last: [1, 1], granted: false },
    { own: [1], last: [2, 1], granted: true },
    { own: [1], last: [2, 2], granted: true },
    { own: [1, 1], last: [2, 1], granted: true },
    { own: [2], last: [1, 1], granted: false },
    { own: [2], last: [1, 2], granted: false },
    { own: [1, 2], last: [1, 1], granted: false },
  ])('[EL1] a voter refuses a log less up to date: own $own, asked with $last', (example) => {
    const one = replica(3, { term: 2, terms: example.own })
    const [lastTerm = 0, lastIndex = 0] = example.last
    one.raft.step({
      type: 'vote',
      from: idOf(2),
      to: one.id,
      term: 3,
      lastIndex,
      lastTerm,
      transfer: false,
    })
    const [answer] = ofType(settle(one).messages, 'voteResponse')
    expect(answer?.rejected).toBe(!example.granted)
  })

  test.each([
    { index: 1, committed: 0 },
    { index: 2, committed: 0 },
    { index: 3, committed: 3 },
  ])(
    '[CM2] only an entry of the leader’s own term is committed by counting: acknowledged $index',
    (example) => {
      const one = replica(3, { term: 2, terms: [1, 2] })
      one.raft.campaign()
      settle(one)
      grant(one, 2)
      settle(one)
      acknowledge(one, 2, example.index)
      expect(one.raft.term).toBe(3)
      expect(one.raft.commit).toBe(example.committed)
    },
  )
})
