import { describe, expect, test } from 'vitest'
import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import { CommittedEntries } from './committed-entries.ts'
import { DurableLog } from './durable-log.ts'
import { ElectionSafety } from './election-safety.ts'
import { LogMatching } from './log-matching.ts'
import { MonotonicPromises } from './monotonic-promises.ts'
import { PersistBeforeSend } from './persist-before-send.ts'
import type { ObservedReplica } from './raft-checker.ts'
import { RestartKeeps } from './restart-keeps.ts'
import { StateAgreement } from './state-agreement.ts'

const A = 'aaaaaaaaaaaaaaaa'
const B = 'bbbbbbbbbbbbbbbb'
const C = 'cccccccccccccccc'

/** A disk that holds entries 1 … n of the given terms. */
class KnownDisk extends DurableLog {
  readonly #known: readonly number[]

  constructor(terms: readonly number[], term = terms.at(-1) ?? 0, vote = '', raftId = '') {
    super()
    this.raftId = raftId
    this.#known = terms
    this.lastIndex = terms.length
    this.term = term
    this.vote = vote
  }

  override termAt(index: number): number | null {
    return this.#known[index - 1] ?? null
  }
}

const held = (terms: readonly number[], raftId: string) =>
  new KnownDisk(terms, undefined, undefined, raftId)

const on = (name: string, disk: DurableLog = new DurableLog()): ObservedReplica => ({
  name,
  disk,
  voters: [A, B, C],
})

function status(id: string, fields: Partial<RaftStatus>): RaftStatus {
  return {
    id,
    role: 'follower',
    term: 1,
    vote: '',
    leader: '',
    commit: 0,
    applied: 0,
    lastIndex: 0,
    persisted: 0,
    transferee: '',
    progress: [],
    ...fields,
  }
}

const message = (fields: object): Message => ({ from: A, to: B, term: 1, ...fields }) as Message
const append = (from: string, term: number, index: number, text: string, prevTerm = 1): Message =>
  message({
    type: 'append',
    from,
    term,
    prevIndex: index - 1,
    prevTerm,
    commit: 0,
    entries: [{ term, index, type: 0, data: new TextEncoder().encode(text) }],
  })

describe('each property of the protocol has a judge that sees it broken', () => {
  test('[R1] two leaders of one term', () => {
    const judge = new ElectionSafety()
    judge.onStatus(on('a'), status(A, { role: 'leader', term: 3 }))
    judge.onStatus(on('a'), status(A, { role: 'leader', term: 3 }))
    judge.onMessage(on('b'), message({ type: 'heartbeat', from: B, term: 4 }))
    const second = message({ type: 'heartbeat', from: B, term: 3 })
    expect(() => judge.onMessage(on('b'), second)).toThrow('R1')
  })

  test('[R2] a term that falls, also over a restart', () => {
    const judge = new MonotonicPromises()
    judge.onMessage(on('a'), message({ type: 'heartbeatResponse', term: 5 }))
    judge.onStarted(on('a'), status(A, {}))
    judge.onMessage(on('a'), message({ type: 'preVote', term: 6 }))
    judge.onMessage(on('a'), message({ type: 'heartbeatResponse', term: 5 }))
    const older = message({ type: 'heartbeatResponse', term: 4 })
    expect(() => judge.onMessage(on('a'), older)).toThrow('R2')
  })

  test('[R2] two votes in one term', () => {
    const judge = new MonotonicPromises()
    judge.onMessage(on('a'), message({ type: 'voteResponse', to: B, rejected: false }))
    judge.onMessage(on('a'), message({ type: 'voteResponse', to: C, rejected: true }))
    const second = message({ type: 'voteResponse', to: C, rejected: false })
    expect(() => judge.onMessage(on('a'), second)).toThrow('R2')
  })

  test('[R2] a commit index that falls within one life', () => {
    const judge = new MonotonicPromises()
    judge.onStatus(on('a'), status(A, { commit: 7 }))
    judge.onStarted(on('a'), status(A, { commit: 4 }))
    judge.onStatus(on('a'), status(A, { commit: 6 }))
    expect(() => judge.onStatus(on('a'), status(A, { commit: 5 }))).toThrow('R2')
  })

  test('[R3] one index and term with two contents, or two predecessors', () => {
    const judge = new LogMatching()
    judge.onMessage(on('a'), append(A, 2, 5, 'x'))
    judge.onMessage(on('b'), append(B, 3, 5, 'y'))
    expect(() => judge.onMessage(on('a'), append(A, 2, 5, 'z'))).toThrow('R3')
    expect(() => judge.onMessage(on('a'), append(A, 2, 5, 'x', 2))).toThrow('R3')
  })

  test('[R4] an acknowledgement or a vote that the disk does not hold', () => {
    const judge = new PersistBeforeSend()
    const disk = new KnownDisk([1, 1], 1, B)
    const acknowledge = (index: number) =>
      message({ type: 'appendResponse', index, rejected: false })
    judge.onMessage(on('a', disk), acknowledge(2))
    judge.onMessage(on('a', disk), message({ type: 'voteResponse', to: B, rejected: false }))
    expect(() => judge.onMessage(on('a', disk), acknowledge(3))).toThrow('R4')
    const vote = message({ type: 'voteResponse', to: C, rejected: false })
    expect(() => judge.onMessage(on('a', disk), vote)).toThrow('R4')
    expect(() => judge.onMessage(on('a', disk), message({ type: 'vote', term: 2 }))).toThrow('R4')
  })

  test('[R5] a commit without a durable majority', () => {
    const disks = [held([1, 1], A), held([1], B), held([1], C)]
    const judge = new CommittedEntries(() => disks)
    const lead = (commit: number) =>
      status(A, { role: 'leader', commit, lastIndex: 2, persisted: 2 })
    judge.onStatus(on('a', disks[0]), lead(1))
    expect(() => judge.onStatus(on('a', disks[0]), lead(2))).toThrow('R5')
  })

  test('[R5] an entry of an older term committed by counting', () => {
    const disks = [held([1, 2], A), held([1, 2], B), held([1], C)]
    const judge = new CommittedEntries(() => disks)
    const lead = status(A, { role: 'leader', term: 4, commit: 2, lastIndex: 3, persisted: 2 })
    expect(() => judge.onStatus(on('a', disks[0]), lead)).toThrow('by counting')
  })

  test('[R5] another entry at a committed index', () => {
    const disks = [held([1, 2], A), held([1, 2], B), held([1, 3], C)]
    const judge = new CommittedEntries(() => disks)
    const at = (id: string) => status(id, { term: 2, commit: 2, lastIndex: 2, persisted: 2 })
    judge.onStatus(on('a', disks[0]), at(A))
    judge.onStatus(on('b', disks[1]), at(B))
    expect(() => judge.onStatus(on('c', disks[2]), at(C))).toThrow('others committed')
  })

  test('[R6] a leader without a committed entry', () => {
    const disks = [held([1, 2], A), held([1, 2], B), held([1], C)]
    const judge = new CommittedEntries(() => disks)
    judge.onStatus(
      on('a', disks[0]),
      status(A, { role: 'leader', term: 2, commit: 2, lastIndex: 2, persisted: 2 }),
    )
    const usurper = status(C, { role: 'leader', term: 3, lastIndex: 1, persisted: 1 })
    expect(() => judge.onStatus(on('c', disks[2]), usurper)).toThrow('R6')
  })

  test('[R7] two states after one index', () => {
    const judge = new StateAgreement()
    judge.onApplied('a', 4, 'one')
    judge.onApplied('b', 4, 'one')
    judge.onApplied('b', 5, 'two')
    expect(judge.compared).toBe(1)
    expect(() => judge.onApplied('a', 5, 'three')).toThrow('R7')
  })

  test('[R8] a restart without what was synced', () => {
    const judge = new RestartKeeps()
    const disk = new KnownDisk([1, 1, 2], 3, B)
    const started = (fields: Partial<RaftStatus>) => () =>
      judge.onStarted(on('a', disk), status(A, { term: 3, vote: B, lastIndex: 3, ...fields }))
    expect(started({})).not.toThrow()
    expect(started({ term: 4, vote: '' })).not.toThrow()
    expect(started({ term: 2 })).toThrow('R8')
    expect(started({ lastIndex: 2 })).toThrow('R8')
    expect(started({ vote: '' })).toThrow('R8')
  })
})
