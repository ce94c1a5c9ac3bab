import { describe, expect, test, vi } from 'vitest'
import { type Entry, EntryType, type RaftStatus } from '#cluster'
import { encodeBatch } from '../../../node/state-machine/batch-codec.ts'
import { encodeCommand } from '../../../node/state-machine/command-codec.ts'
import { CommandKind } from '../../../node/state-machine/commands.ts'
import { CommittedEntries } from './committed-entries.ts'
import { ConfigurationSafety } from './configuration-safety.ts'
import { ElectionSafety } from './election-safety.ts'
import { LeaderAppendOnly } from './leader-append-only.ts'
import { LeaderKnowledge } from './leader-knowledge.ts'
import { LevelSafety } from './level-safety.ts'
import { LogMatching } from './log-matching.ts'
import { MonotonicPromises } from './monotonic-promises.ts'
import { PersistBeforeSend } from './persist-before-send.ts'
import { PositionsInOrder } from './positions-in-order.ts'
import { PreVotePure } from './pre-vote-pure.ts'
import type { RaftChecker } from './raft-checker.ts'
import { RaftJudges } from './raft-judges.ts'
import { RestartEquivalence } from './restart-equivalence.ts'
import { RestartKeeps } from './restart-keeps.ts'
import { SentIsDurable } from './sent-is-durable.ts'
import { StateAgreement } from './state-agreement.ts'
import {
  A,
  B,
  C,
  NOTHING,
  entryOf,
  headOf,
  holding,
  watch,
  on,
  status,
  message,
  append,
} from './testing.ts'

describe('each property of the protocol has a judge that sees it broken', () => {
  test('[R1] two leaders of one term', () => {
    const disks = [holding([], A, 3, A), holding([], B, 3, A)]
    const judge = new ElectionSafety(() => disks)
    judge.onStatus(on('a'), status(A, { role: 'leader', term: 3 }))
    judge.onStatus(on('a'), status(A, { role: 'leader', term: 3 }))
    judge.onMessage(on('b'), message({ type: 'heartbeat', from: B, term: 4 }))
    const second = message({ type: 'heartbeat', from: B, term: 3 })
    expect(() => judge.onMessage(on('b'), second)).toThrow('R1')
  })

  test('[R1] a leader whose votes are not on the disks of a majority of its voters', () => {
    const disks = [
      holding([], A, 3, A),
      holding([], B, 3, C),
      holding([], 'dddddddddddddddd', 3, A),
    ]
    const judge = new ElectionSafety(() => disks)
    expect(() => judge.onStatus(on('a'), status(A, { role: 'leader', term: 3 }))).toThrow('R1')
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

  test('[R3] another entry on a disk than was sent, or another one before it', () => {
    const judge = new LogMatching()
    judge.onMessage(on('a'), append(A, 2, 1, 'x', 0))
    judge.onMessage(on('a'), append(A, 2, 2, 'y', 2))
    const disk = watch(judge, on('b'))
    const put = (entry: Entry) => () => disk.hold({ ...NOTHING, entries: [entry] })
    disk.hold(headOf(B))
    expect(put(entryOf(1, 2, 'x'))).not.toThrow()
    expect(put(entryOf(2, 2, 'z'))).toThrow('R3')
    const other = watch(judge, on('c'))
    other.hold(headOf(C, 1, 1))
    expect(() => other.hold({ ...NOTHING, entries: [entryOf(2, 2, 'y')] })).toThrow('R3')
  })

  test('[R4] a term, an acknowledgement or a vote that the disk does not hold', () => {
    const judge = new PersistBeforeSend()
    const replica = on('a', holding([1, 1], A, 1, B))
    const say = (fields: object) => () => judge.onMessage(replica, message(fields))
    const acknowledge = (index: number) => say({ type: 'appendResponse', index, rejected: false })
    expect(acknowledge(2)).not.toThrow()
    expect(say({ type: 'voteResponse', to: B, rejected: false })).not.toThrow()
    expect(say({ type: 'preVote', term: 2 })).not.toThrow()
    expect(acknowledge(3)).toThrow('R4')
    expect(say({ type: 'voteResponse', to: C, rejected: false })).toThrow('R4')
    expect(say({ type: 'vote', term: 1 })).toThrow('R4')
    expect(say({ type: 'vote', term: 2 })).toThrow('R4')
    expect(say({ type: 'heartbeatResponse', term: 2 })).toThrow('R4')
    replica.disk.hold({ ...NOTHING, hardState: { term: 2, vote: '', commit: 0 } })
    expect(say({ type: 'voteResponse', to: B, rejected: false })).not.toThrow()
    expect(say({ type: 'voteResponse', to: C, rejected: false })).toThrow('R4')
  })

  test('[R5] a commit without a durable majority', () => {
    const disks = [holding([1, 1], A), holding([1], B), holding([1], C)]
    const judge = new CommittedEntries(() => disks)
    const lead = (commit: number) =>
      status(A, { role: 'leader', commit, lastIndex: 2, persisted: 2 })
    judge.onStatus(on('a', disks[0]), lead(1))
    expect(() => judge.onStatus(on('a', disks[0]), lead(2))).toThrow('R5')
  })

  test('[R5] an entry of an older term committed by counting', () => {
    const disks = [holding([1, 2], A), holding([1, 2], B), holding([1], C)]
    const judge = new CommittedEntries(() => disks)
    const lead = status(A, { role: 'leader', term: 4, commit: 2, lastIndex: 3, persisted: 2 })
    expect(() => judge.onStatus(on('a', disks[0]), lead)).toThrow('by counting')
  })

  test('[R5] another entry at a committed index', () => {
    const disks = [holding([1, 2], A), holding([1, 2], B), holding([1, 3], C)]
    const judge = new CommittedEntries(() => disks)
    const at = (id: string) => status(id, { term: 2, commit: 2, lastIndex: 2, persisted: 2 })
    judge.onStatus(on('a', disks[0]), at(A))
    judge.onStatus(on('b', disks[1]), at(B))
    expect(() => judge.onStatus(on('c', disks[2]), at(C))).toThrow('others committed')
  })

  test('[R5] a follower that commits what no majority holds', () => {
    const disks = [holding([1, 1], A), holding([1], B), holding([1], C)]
    const judge = new CommittedEntries(() => disks.slice(1))
    const at = status(A, { commit: 2, lastIndex: 2, persisted: 2 })
    expect(() => judge.onStatus(on('a', disks[0]), at)).toThrow('R5')
  })

  test('[R5] a disk that gives a committed entry up', () => {
    const disks = [holding([1, 1, 1], A), holding([1, 1, 1], B), holding([1], C)]
    const judge = new CommittedEntries(() => disks)
    const lead = { role: 'leader', commit: 2, lastIndex: 3, persisted: 3 } as const
    judge.onStatus(on('a', disks[0]), status(A, lead))
    const disk = watch(judge, on('b', disks[1]))
    const put = (...entries: Entry[]) => disk.hold({ ...NOTHING, entries })
    expect(() => put(entryOf(3, 2))).not.toThrow()
    // The same entry once more is no harm, but what stood behind it is gone.
    expect(() => put(entryOf(2, 1), entryOf(3, 2))).not.toThrow()
    expect(() => put(entryOf(1, 1))).toThrow('removes the committed entry 2')
    const third = watch(judge, on('a', disks[0]))
    expect(() => third.hold({ ...NOTHING, entries: [entryOf(2, 2)] })).toThrow('R5')
  })

  test('[R6] a leader without a committed entry', () => {
    const disks = [holding([1, 2], A), holding([1, 2], B), holding([1], C)]
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
    judge.onApplied(on('a'), 4, 'one')
    judge.onApplied(on('b'), 4, 'one')
    judge.onApplied(on('b'), 5, 'two')
    expect(judge.compared).toBe(1)
    expect(() => judge.onApplied(on('a'), 5, 'three')).toThrow('R7')
  })

  test('[R8] a restart without what was synced', () => {
    const judge = new RestartKeeps()
    const disk = holding([1, 1, 2], A, 3, B)
    const started = (fields: Partial<RaftStatus>) => () =>
      judge.onStarted(on('a', disk), status(A, { term: 3, vote: B, lastIndex: 3, ...fields }))
    expect(started({})).not.toThrow()
    expect(started({ term: 4, vote: '' })).not.toThrow()
    expect(started({ term: 2 })).toThrow('R8')
    expect(started({ lastIndex: 2 })).toThrow('R8')
    expect(started({ vote: '' })).toThrow('R8')
  })

  test('[R8] what a start copies is promised once the start is over, and not before', () => {
    const judge = new RestartKeeps()
    const disk = holding([1, 1], A)
    const started = (lastIndex: number) => () =>
      judge.onStarted(on('a', disk), status(A, { term: 1, lastIndex }))
    const copied = { ...headOf(A, 1, 1), entries: [entryOf(2, 1), entryOf(3, 1)] }
    disk.starts()
    disk.hold(copied)
    disk.starts()
    disk.hold({ ...headOf(A, 1, 1), entries: [entryOf(2, 1)] })
    expect(started(2)).not.toThrow()
    disk.starts()
    disk.hold(copied)
    expect(started(3)).not.toThrow()
    disk.starts()
    disk.hold({ ...headOf(A, 1, 1), entries: [entryOf(2, 1)] })
    expect(started(2)).toThrow('R8')
  })

  test('[R8] the end of a log that is not copied into the new segment', () => {
    const judge = new RestartKeeps()
    const disk = holding([1, 1, 2], A, 2)
    const started = () => judge.onStarted(on('a', disk), status(A, { term: 2, lastIndex: 3 }))
    disk.hold(headOf(A, 1, 1))
    expect(started).toThrow('R8')
    disk.hold({ ...NOTHING, entries: [entryOf(2, 1)] })
    expect(started).toThrow('R8')
    disk.hold({ ...NOTHING, entries: [entryOf(3, 2)] })
    expect(started).not.toThrow()
  })

  test('[R12] a leader that shortens or rewrites its log', () => {
    const judge = new LeaderAppendOnly()
    const replica = on('a', holding([1, 2, 2], A, 2, A))
    const disk = watch(judge, replica)
    const lead = (lastIndex: number) => () =>
      judge.onStatus(replica, status(A, { role: 'leader', term: 2, lastIndex }))
    const put = (entry: Entry, term: number) => () =>
      disk.hold({ ...NOTHING, entries: [entry], hardState: { term, vote: '', commit: 0 } })
    expect(lead(3)).not.toThrow()
    expect(put(entryOf(4, 2), 2)).not.toThrow()
    expect(lead(2)).toThrow('R12')
    expect(put(entryOf(3, 2), 2)).toThrow('R12')
    // It has stepped down, though no status said so yet.
    expect(put(entryOf(3, 3), 3)).not.toThrow()
  })

  test('[R13] positions out of order, beyond the disk, or undone', () => {
    const judge = new PositionsInOrder()
    const replica = on('a', holding([1, 1, 1, 1], A))
    const say = (fields: Partial<RaftStatus>) => () =>
      judge.onStatus(
        replica,
        status(A, { applied: 2, commit: 3, persisted: 4, lastIndex: 5, ...fields }),
      )
    expect(say({})).not.toThrow()
    expect(say({ applied: 4 })).toThrow('R13')
    expect(say({ commit: 6 })).toThrow('R13')
    expect(say({ persisted: 5 })).toThrow('its disk holds 4')
    expect(say({ applied: 1 })).toThrow('R13')
    expect(() => judge.onApplied(replica, 1)).toThrow('R13')
    judge.onStarted(replica, status(A, { applied: 1 }))
    expect(say({ applied: 1 })).not.toThrow()
  })

  test('[R14] a leader that counts what a follower does not hold', () => {
    const disks = [holding([1, 2, 2], A, 2), holding([1, 2], B, 2), holding([1, 1], C, 1)]
    const lead =
      (peer: string, match: number, next = match + 1) =>
      () => {
        const one = { state: 'replicate', learner: false, active: true, inflight: 0 } as const
        const progress = [{ id: peer, match, next, ...one }]
        new LeaderKnowledge(() => disks).onStatus(
          on('a', disks[0]),
          status(A, { role: 'leader', term: 2, progress }),
        )
      }
    expect(lead(B, 2)).not.toThrow()
    expect(lead(B, 2, 2)).toThrow('sends from 2')
    expect(lead(B, 3)).toThrow('R14')
    // The right index, of another term.
    expect(lead(C, 1)).not.toThrow()
    expect(lead(C, 2)).toThrow('R14')
  })

  test('[R16] a term that nobody stood for', () => {
    const judge = new PreVotePure()
    const at = (id: string, fields: Partial<RaftStatus>) => () =>
      judge.onStatus(on(id), status(id, fields))
    judge.onMessage(on('a'), message({ type: 'preVote', term: 2 }))
    expect(at(B, { term: 2 })).toThrow('R16')
    judge.onMessage(on('a'), message({ type: 'vote', term: 3 }))
    expect(at(B, { term: 3 })).not.toThrow()
    expect(at(C, { term: 4, role: 'candidate', vote: C })).not.toThrow()
    expect(at(A, { term: 4 })).not.toThrow()
    expect(at(A, { term: 5, role: 'preCandidate', vote: A })).toThrow('R16')
  })

  test('[R17] a state that is another one after a restart', () => {
    const judge = new RestartEquivalence()
    const started = () => judge.onStarted(on('a'))
    started()
    judge.onApplied(on('a'), 4, 'one')
    judge.onApplied(on('b'), 4, 'of another node')
    started()
    judge.onApplied(on('a'), 4, 'one')
    expect(judge.compared).toBe(1)
    started()
    expect(() => judge.onApplied(on('a'), 4, 'two')).toThrow('R17')
  })

  test('[R18] a “sent” that leaves before a majority has synced it', () => {
    const judge = new SentIsDurable()
    judge.onStatus(on('a'))
    const disks = [A, B, C].map((id) => {
      const disk = watch(judge, on(id))
      disk.hold(headOf(id))
      return disk
    })
    const command = encodeCommand({
      ...{ kind: CommandKind.message, user: 'ann', device: 'phone', msgId: 'm1', conv: 'c' },
      ...{ origin: 1, request: 1, prev: null, since: null, to: null, replyTo: null },
      ...{ large: false, body: new Uint8Array([1]) },
    })
    const data = encodeBatch({ logTime: 1, wallTime: 1 }, [command])
    const entry = { index: 1, term: 1, type: EntryType.normal, data }
    const sync = (at: number) => disks[at]!.hold({ ...NOTHING, entries: [entry] })
    const sent = (msgId: string, left: number) => () =>
      judge.onSent('a', { user: 'ann', msgId }, left)
    expect(sent('m1', judge.now)).toThrow('nowhere')
    sync(0)
    const early = judge.now
    expect(sent('m1', early)).toThrow('R18')
    sync(1)
    expect(sent('m1', judge.now)).not.toThrow()
    // It was durable by the time it arrived, and not when it left.
    expect(sent('m1', early)).toThrow('R18')
    expect(sent('m2', judge.now)).toThrow('R18')
    // With a single voter less the same disks are a majority, from then on.
    const alone = new SentIsDurable()
    alone.onStatus(on('a'))
    alone.onBatch(on('a', disks[0]), { batch: { ...NOTHING, entries: [entry] }, removed: [] })
    const say = () => alone.onSent('a', { user: 'ann', msgId: 'm1' }, alone.now)
    expect(say).toThrow('R18')
    alone.onStatus(on('a', disks[0], [A]))
    expect(say).not.toThrow()
  })
})

const HOOKS = ['onStatus', 'onMessage', 'onBatch', 'onStarted', 'onApplied'] as const
const JUDGES = [
  ...[CommittedEntries, ConfigurationSafety, ElectionSafety, LeaderAppendOnly, LeaderKnowledge],
  ...[
    LevelSafety,
    LogMatching,
    MonotonicPromises,
    PersistBeforeSend,
    PositionsInOrder,
    PreVotePure,
  ],
  ...[RestartEquivalence, RestartKeeps, SentIsDurable, StateAgreement],
]

test('whatever happens is heard by every judge that judges it', () => {
  const heard = new Set<string>()
  const spies = JUDGES.flatMap((judge) =>
    HOOKS.filter((hook) => Object.hasOwn(judge.prototype, hook)).map((hook) =>
      vi.spyOn(judge.prototype as Required<RaftChecker>, hook).mockImplementation(() => {
        heard.add(`${judge.name} ${hook}`)
      }),
    ),
  )
  const judges = new RaftJudges([])
  const replica = on('n1')
  judges.onStatus(replica, status(A, {}))
  judges.onMessage(replica, message({}))
  judges.onBatch(replica, { batch: NOTHING, removed: [] })
  judges.onStarted(replica, status(A, {}))
  judges.onApplied(replica, 1, 'hash')
  for (const spy of spies) spy.mockRestore()
  expect(heard.size).toBe(spies.length)
})
