import {
  type Failpoints,
  type FileSystem,
  type Logger,
  type LogStorage,
  NO_ONE,
  SegmentLog,
} from '#cluster'
import { openDataDirectory, StartError } from './data-directory.ts'
import { DiskBallast } from './disk/disk-ballast.ts'
import { diskLimitsOf, type NodePorts, type NodeSettings } from './node-settings.ts'
import { LevelTooHighError } from './state-machine/feature-level.ts'
import { ParleyStateMachine, type StateMachineOptions } from './state-machine/state-machine.ts'
import { openStoreDirectory } from './store/store-directory.ts'
import type { StoreDirectory } from './store/store.ts'

/** Everything a node keeps on disk, open and consistent with each other. */
export interface NodeData {
  readonly log: LogStorage
  readonly stores: StoreDirectory
  readonly ballast: DiskBallast
  readonly stateMachine: ParleyStateMachine
}

export interface NodeDataHost {
  readonly logger: Logger
  readonly failpoints: Failpoints
  /**
   * A checkpoint failed later, or a read found the state damaged: final, the process must end. The store
   * is not thrown away on the word of one read, which every node might give: the next start verifies it.
   */
  onFailure(error: Error): void
}

/**
 * Opens log, store and state of one node.
 *
 * @throws StartError, LogDamagedError and others whose message says what an operator does next
 */
export async function openNodeData(
  settings: NodeSettings,
  ports: NodePorts,
  host: NodeDataHost,
): Promise<NodeData> {
  const { logger, failpoints } = host
  const { fileSystem, clock, random } = ports
  const { dataDirectory: data, name } = settings
  await openDataDirectory(fileSystem, data, name)
  failpoints.hit('boot.labelWritten')
  await checkLogIsThere(fileSystem, data, name)
  const log = await SegmentLog.open({
    fileSystem,
    clock,
    random,
    failpoints,
    directory: `${data}/log`,
    ...settings.log,
  })
  failpoints.hit('boot.logOpened')
  try {
    checkMayFound(settings, log)
  } catch (error) {
    await log.close()
    throw error
  }
  const { reserveBytes } = diskLimitsOf(settings)
  const ballast = await DiskBallast.open(fileSystem, data, reserveBytes)
  // The store cannot be opened without writing (rule K9).
  const { freeBytes } = await fileSystem.space(data)
  if (freeBytes < reserveBytes) await ballast.release()
  const stores = await openStoreDirectory({
    fileSystem,
    clock,
    failpoints,
    databases: ports.databases,
    directory: `${data}/store`,
    log: logger,
  })
  if (stores.damaged !== null) await discardStore(stores, log, logger)
  failpoints.hit('boot.storeOpened')
  const stateMachine = await openState({
    directory: stores,
    clock,
    random,
    configuration: () => log.snapshot.configuration,
    failpoints,
    onFailure: (error) => host.onFailure(error),
    onDamage: (error) => host.onFailure(error),
    ...(settings.state === undefined ? {} : { limits: settings.state }),
    ...(settings.mostLevel === undefined ? {} : { mostLevel: settings.mostLevel }),
  })
  if (!agree(stateMachine, log)) {
    // Whoever installed a snapshot was of the cluster before, and its log says so.
    if (stateMachine.compactableIndex > 0 || log.formation === null) {
      throw new StartError(
        `the store of ${name} stands at index ${stateMachine.appliedIndex}, which its log, ending at ${log.lastIndex()}, does not hold: the log lost what was synced. Do not start it again with this directory; run: parley members replace ${name}`,
        { isDamage: true },
      )
    }
    await finishInstall(stateMachine, log)
    failpoints.hit('snapshot.installFinished')
    logger.info('snapshot.installed', { index: log.lastIndex(), afterRestart: true })
  }
  return { log, stores, ballast, stateMachine }
}

/**
 * Of several members each has to see the others empty; where there is one alone, only its operator
 * knows whether this directory is new or has lost what it held (rule K1).
 *
 * @throws StartError
 */
function checkMayFound(settings: NodeSettings, log: LogStorage): void {
  const { dataDirectory, dev, foundAlone = dev, initialMembers, join, name } = settings
  if (join === true || log.formation !== null || initialMembers.length > 1 || foundAlone) return
  throw new StartError(
    `${dataDirectory} is empty, and --initial-members names ${name} alone. To found a new cluster of one node, start it once with --found-alone. If ${name} lost its data and was part of a cluster, name the members of that in --initial-members, and run on another node: parley members replace ${name}`,
    { isRefused: true },
  )
}

/** The log is made before the store: a store without a log had one, and with it votes and messages. */
async function checkLogIsThere(fileSystem: FileSystem, data: string, name: string): Promise<void> {
  const segments = (await fileSystem.list(`${data}/log`)).filter((file) => file.endsWith('.log'))
  const stores = await fileSystem.list(`${data}/store`)
  if (segments.length > 0 || stores.length === 0) return
  throw new StartError(
    `${data} has a store and no log: the log was lost. Nothing was changed. Put it back if it was moved; else run: parley members replace ${name}, and start ${name} with an empty data directory`,
    { isDamage: true },
  )
}

/**
 * The entry that the state stands at is in the log, or the log starts later and the state was lost
 * (rule K3). A log that ends before it, or has an entry of another term there, is one that an
 * installed snapshot was to replace: a long tail that no majority ever had may reach past it.
 */
function agree(stateMachine: ParleyStateMachine, log: LogStorage): boolean {
  const { appliedIndex, appliedTerm } = stateMachine
  return appliedIndex < log.firstIndex() - 1 || log.term(appliedIndex) === appliedTerm
}

/**
 * Rule K6: this node ended between taking a snapshot over and noting it in its log. A store that was
 * installed has no cut before its first, which tells it from one whose log lost its end. The log's
 * term may be older than the snapshot's: then nothing was ever promised in the newer one.
 */
async function finishInstall(stateMachine: ParleyStateMachine, log: LogStorage): Promise<void> {
  const source = await stateMachine.openSnapshot()
  const snapshot = source.meta
  await source.close()
  const hardState =
    snapshot.term > log.hardState.term
      ? { term: snapshot.term, vote: NO_ONE, commit: snapshot.index }
      : null
  await new Promise<void>((resolve, reject) => {
    log.append({ hardState, entries: [], snapshot }, (error) =>
      error === null ? resolve() : reject(error),
    )
  })
}

/** @throws StartError if the state is of a feature level that this version cannot do */
async function openState(options: StateMachineOptions): Promise<ParleyStateMachine> {
  try {
    return await ParleyStateMachine.open(options)
  } catch (cause) {
    if (!(cause instanceof LevelTooHighError)) throw cause
    throw new StartError(cause.message, { cause, isRefused: true })
  }
}

/** Rule K3: the log is whole, so the state can be had again, by replay or from a peer. */
async function discardStore(
  stores: StoreDirectory,
  log: LogStorage,
  logger: Logger,
): Promise<void> {
  const source = log.firstIndex() === 1 ? 'by replaying the log' : "from a peer's snapshot"
  logger.error('store.damaged', {
    error: stores.damaged,
    message: `the store is damaged and thrown away; it is rebuilt ${source}`,
  })
  await stores.discard()
}
