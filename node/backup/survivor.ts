import {
  allMembers,
  type Configuration,
  configurationShape,
  hex,
  integer,
  object,
  oneOf,
  SegmentLog,
  text,
} from '#cluster'
import { readLabel } from '../data-directory.ts'
import { StateHash } from '../state-machine/state-hash.ts'
import { openStoreDirectory } from '../store/store-directory.ts'
import type { CutPosition, Store, StoreDirectory } from '../store/store.ts'
import { pinnedState } from './pinned-state.ts'
import type { OfflinePorts } from './prepared-member.ts'
import { RefusedError } from './refused-error.ts'

/** What the directory of a node that survived holds: all that a recovery is decided by. */
export interface SurvivorReport {
  readonly schema: 1
  readonly name: string
  readonly raftId: string
  readonly clusterId: string
  readonly epoch: string
  /** The newest term that it heard of. */
  readonly term: number
  readonly firstIndex: number
  /** Where its log ends: with everything up to there the new cluster begins. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** The newest index that it knew to be on a majority. */
  readonly commit: number
  /** Index of the newest checkpoint, 0 without one; the rest is applied from the log. */
  readonly applied: number
  /** Of the state at `applied` (rule K5). */
  readonly stateHash: string
  /** A damaged one is of use only with a log from index 1 on. */
  readonly store: 'whole' | 'damaged'
  /** The newest that its log has. */
  readonly configuration: Configuration
}

export const survivorShape = object<SurvivorReport>({
  schema: oneOf(1),
  name: text(255),
  raftId: hex(8),
  clusterId: hex(16),
  epoch: hex(8),
  term: integer(),
  firstIndex: integer(1),
  lastIndex: integer(),
  lastTerm: integer(),
  commit: integer(),
  applied: integer(),
  stateHash: text(24),
  store: oneOf('whole', 'damaged'),
  configuration: configurationShape,
})

/** A node's directory, opened while the node is stopped. Nothing in it is thrown away. */
export interface Survivor {
  readonly report: SurvivorReport
  readonly log: SegmentLog
  readonly stores: StoreDirectory
  close(): Promise<void>
}

/**
 * Opens it as a start of the node does, which leaves it as a start does, and takes it for this process.
 *
 * @throws RefusedError, LogDamagedError and others whose message says what an operator does next
 */
export async function openSurvivor(ports: OfflinePorts, directory: string): Promise<Survivor> {
  const { fileSystem } = ports
  const name = await readLabel(fileSystem, directory)
  const segments = await fileSystem.list(`${directory}/log`)
  if (name === null || !segments.some((file) => file.endsWith('.log'))) {
    throw new RefusedError(`${directory} is not the data directory of a node: it holds no log`)
  }
  const log = await SegmentLog.open({ ...ports, directory: `${directory}/log` })
  let stores: StoreDirectory | null = null
  const close = async (): Promise<void> => {
    await stores?.close()
    await log.close()
  }
  try {
    stores = await openStoreDirectory({ ...ports, directory: `${directory}/store` })
    const report = await reportOf(name, log, stores.store)
    return { report, log, stores, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function reportOf(
  name: string,
  log: SegmentLog,
  store: Store | null,
): Promise<SurvivorReport> {
  const { formation, hardState, raftId } = log
  if (formation === null) {
    throw new RefusedError(`${name} never was part of a cluster: there is nothing to recover`)
  }
  const cut = store?.cut ?? null
  const isInstalled = cut !== null && standsAlone(log, cut)
  const end: CutPosition = isInstalled
    ? cut
    : { index: log.lastIndex(), term: log.term(log.lastIndex()) ?? 0 }
  const state = cut === null ? null : await stateOf(store as Store)
  return {
    schema: 1,
    name,
    raftId,
    clusterId: formation.clusterId,
    epoch: formation.epoch,
    term: hardState.term,
    firstIndex: log.firstIndex(),
    lastIndex: end.index,
    lastTerm: end.term,
    commit: Math.max(hardState.commit, isInstalled ? cut.index : 0),
    applied: cut?.index ?? 0,
    stateHash: state === null ? '' : String(new StateHash(state.hash)),
    store: store === null ? 'damaged' : 'whole',
    configuration: log.configurationAt(log.lastIndex()),
  }
}

/** A snapshot took over and the log does not know yet: what the log holds is older, or void. */
export function standsAlone(log: SegmentLog, cut: CutPosition): boolean {
  return cut.index >= log.firstIndex() - 1 && log.term(cut.index) !== cut.term
}

async function stateOf(store: Store) {
  const snapshot = await store.snapshot()
  try {
    return await pinnedState(snapshot)
  } finally {
    await snapshot.close()
  }
}

/** The member that the report is about, as the old cluster knew it. */
export function memberOf({ configuration, raftId, name }: SurvivorReport) {
  const member = allMembers(configuration).find(({ id }) => id === raftId)
  if (member !== undefined) return member
  throw new RefusedError(
    `${name} is no member of the cluster as its own log has it: it was removed, or never taken in`,
  )
}
