import { encodeConfiguration, type Entry, EntryType, type RaftStatus } from '#cluster'
import type { Batch } from '../../../cluster/log/record-codec.ts'
import type { Message } from '../../../cluster/raft/messages.ts'
import { DurableLog } from './durable-log.ts'
import type { ObservedReplica, RaftChecker } from './raft-checker.ts'

export const A = 'aaaaaaaaaaaaaaaa'
export const B = 'bbbbbbbbbbbbbbbb'
export const C = 'cccccccccccccccc'

export const configurationOf = (voters: readonly string[], learners: readonly string[] = []) => {
  const member = (id: string) => ({ id, name: id, peerAddress: 'a:1', clientUrl: 'http://a:1' })
  return { voters: voters.map(member), outgoing: [], learners: learners.map(member) }
}

export const NOTHING: Batch = {
  ...{ head: null, formation: null, snapshot: null, entries: [], hardState: null, keptFrom: null },
}

export const entryOf = (
  index: number,
  term: number,
  data = `entry ${index} of ${term}`,
): Entry => ({
  index,
  term,
  type: EntryType.normal,
  data: new TextEncoder().encode(data),
})

export const changeOf = (index: number, term: number, voters: readonly string[]): Entry => ({
  index,
  term,
  type: EntryType.configuration,
  data: encodeConfiguration(configurationOf(voters)),
})

/** The first record of a segment: the log as it ended before it. */
export const headOf = (raftId: string, index = 0, term = 0): Batch => ({
  ...NOTHING,
  head: {
    raftId,
    segment: 1,
    keptFrom: 1,
    position: { index, term, configuration: configurationOf([A, B, C]) },
    hardState: { term, vote: '', commit: 0 },
    formation: null,
  },
})

/** A disk that holds entries 1 … n of the given terms. */
export function holding(
  terms: readonly number[],
  raftId = '',
  term = terms.at(-1) ?? 0,
  vote = '',
) {
  const disk = new DurableLog()
  disk.hold(headOf(raftId))
  const entries = terms.map((of, at) => entryOf(at + 1, of))
  disk.hold({ ...NOTHING, entries, hardState: { term, vote, commit: 0 } })
  return disk
}

/** The judge hears of what is synced to the disk from now on. */
export function watch(judge: RaftChecker, replica: ObservedReplica): DurableLog {
  const { disk } = replica
  disk.onBatch = (synced) => judge.onBatch?.(replica, synced)
  return disk
}

export const on = (name: string, disk = new DurableLog(), voters = [A, B, C]): ObservedReplica => ({
  name,
  disk,
  voters,
  configuration: configurationOf(voters),
  mostLevel: 2,
})

export function status(id: string, fields: Partial<RaftStatus>): RaftStatus {
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

export const message = (fields: object): Message =>
  ({ from: A, to: B, term: 1, ...fields }) as Message
export const append = (
  from: string,
  term: number,
  index: number,
  text: string,
  prevTerm = 1,
): Message =>
  message({
    type: 'append',
    from,
    term,
    prevIndex: index - 1,
    prevTerm,
    commit: 0,
    entries: [{ term, index, type: 0, data: new TextEncoder().encode(text) }],
  })
