import {
  assert,
  type Clock,
  encodeConfiguration,
  type Entry,
  EntryType,
  type FileSystem,
  type Formation,
  NO_ONE,
  type RaftId,
  type Random,
  SegmentLog,
} from '#cluster'
import { openDataDirectory } from '../data-directory.ts'
import { ParleyStateMachine } from '../state-machine/state-machine.ts'
import type { KeyValueDatabaseFactory } from '../store/key-value-database.ts'
import { openStoreDirectory } from '../store/store-directory.ts'
import type { CutPosition, Pair, StoreDirectory } from '../store/store.ts'
import { PREPARED, switchToPrepared } from './prepared-switch.ts'

export interface OfflinePorts {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly random: Random
  readonly databases: KeyValueDatabaseFactory
  /** Of the new log. @default that of any log */
  readonly segmentBytes?: number
}

/** What a new member is to hold: a cut, and entries that follow it. */
export interface MemberContent {
  /** `null`: there is none, and the entries begin at index 1. */
  readonly cut: CutPosition | null
  readonly pairs: AsyncIterable<readonly Pair[]>
  readonly entries: Iterable<Entry>
}

/** Where a member stands who was filled. */
export interface FilledPosition extends CutPosition {
  readonly stateHash: string
}

/**
 * One member of a new cluster, made beside what its directory holds: a log of its own with a new Raft
 * id (rule K1), and a store with content of another cluster. Its last entry is the configuration of the
 * new one, applied like any other, so that nothing in the state names the old members.
 */
export class PreparedMember {
  readonly raftId: RaftId
  readonly #ports: OfflinePorts
  readonly #data: string
  readonly #log: SegmentLog

  private constructor(ports: OfflinePorts, data: string, log: SegmentLog) {
    this.#ports = ports
    this.#data = data
    this.#log = log
    this.raftId = log.raftId
  }

  /** Nothing may be left in `data` of an earlier attempt. */
  static async begin(ports: OfflinePorts, data: string, name: string): Promise<PreparedMember> {
    const prepared = `${data}/${PREPARED}`
    await openDataDirectory(ports.fileSystem, prepared, name)
    const log = await SegmentLog.open({ ...ports, directory: `${prepared}/log` })
    return new PreparedMember(ports, data, log)
  }

  /** Durable when it resolves; the log is closed then, and `commit` may follow. */
  async fill(content: MemberContent, formation: Formation): Promise<FilledPosition> {
    const stores = await openStoreDirectory({
      ...this.#ports,
      directory: `${this.#data}/${PREPARED}/store`,
    })
    try {
      if (content.cut !== null) await install(stores, content.cut, content.pairs)
      const position = await this.#replay(stores, content.entries, formation)
      await this.#log.form(formation)
      await this.#startAfter(position, formation)
      return position
    } finally {
      await stores.close()
      await this.#log.close()
    }
  }

  /** Takes the place of what the directory held; see `switchToPrepared`. */
  async commit(undo: string): Promise<void> {
    await switchToPrepared(this.#ports.fileSystem, this.#data, undo)
  }

  /** Instead of `fill`, where another member could not be made. */
  async close(): Promise<void> {
    await this.#log.close()
  }

  /** The configuration is the entry after the last one, of a term that nobody had. */
  async #replay(
    stores: StoreDirectory,
    entries: Iterable<Entry>,
    { configuration }: Formation,
  ): Promise<FilledPosition> {
    const failures: Error[] = []
    const machine = await ParleyStateMachine.open({
      ...this.#ports,
      directory: stores,
      configuration: () => configuration,
      onFailure: (error) => failures.push(error),
    })
    for (const entry of entries) await applied(machine, entry)
    const position = { index: machine.appliedIndex + 1, term: machine.appliedTerm + 1 }
    const data = encodeConfiguration(configuration)
    await applied(machine, { ...position, type: EntryType.configuration, data })
    await machine.checkpoint()
    const [failure] = failures
    if (failure !== undefined) throw failure
    const { stateHash } = machine.reader
    await machine.close()
    return { ...position, stateHash }
  }

  async #startAfter({ index, term }: CutPosition, { configuration }: Formation): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const request = {
        hardState: { term, vote: NO_ONE, commit: index },
        entries: [],
        snapshot: { index, term, configuration },
      }
      this.#log.append(request, (error) => (error === null ? resolve() : reject(error)))
    })
  }
}

async function applied(machine: ParleyStateMachine, entry: Entry): Promise<void> {
  machine.logPersisted(entry.index)
  const loading = machine.prefetch(entry)
  if (loading !== null) await loading
  machine.apply(entry)
}

/** Fills an empty store; what was written is read back before it counts. */
export async function install(
  stores: StoreDirectory,
  cut: CutPosition,
  pairs: AsyncIterable<readonly Pair[]>,
): Promise<void> {
  assert(stores.store?.cut === null, 'a store that holds something is not overwritten')
  const filling = await stores.install()
  try {
    for await (const some of pairs) if (some.length > 0) await filling.write(some)
    await filling.finish(cut)
  } catch (error) {
    await filling.abort()
    throw error
  }
  const { retire } = await filling.activate()
  await retire()
}
