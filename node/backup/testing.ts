import { join } from 'node:path'
import { type FileSystem, type LogStorage, NO_FAILPOINTS } from '#cluster'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { NodeClock } from '../host/node-clock.ts'
import { NodeFileSystem } from '../host/node-file-system.ts'
import { NodeRandom } from '../host/node-random.ts'
import { batch, create, Machine, message } from '../state-machine/testing.ts'
import { type NodeData, openNodeData } from '../node-data.ts'
import { LevelDatabaseFactory } from '../store/level-database.ts'
import type { Store } from '../store/store.ts'
import { Backups } from './backups.ts'
import type { OfflinePorts } from './prepared-member.ts'
import { checkBackup } from './read-backup.ts'
import { restore, type RestoreTarget } from './restore.ts'

/** What the tests of this folder share: a small cluster's state, and its backup. */

export const OLD_MEMBERS = ['n1', 'n2', 'n3'].map((name, at) => ({
  id: `${at + 1}`.repeat(16),
  name,
  peerAddress: `10.0.0.${at + 1}:7501`,
  clientUrl: `http://10.0.0.${at + 1}:7401`,
}))

export const OLD_FORMATION = {
  clusterId: 'c'.repeat(32),
  epoch: 'e'.repeat(16),
  configuration: { voters: OLD_MEMBERS, outgoing: [], learners: [] },
}

/** A group and direct messages, in several cuts; the newest entry is in none. */
export async function sampleMachine(entries = 60): Promise<Machine> {
  const machine = await Machine.open()
  await machine.apply(batch(1, 1, [create({ user: 'ann', msgId: 'g' }, 'bob', 'cleo')]))
  for (let n = 2; n <= entries; n += 1) {
    const [user, to] = [`user${n % 5}`, `user${(n * 3 + 1) % 7}`]
    const body = `${n} `.repeat(50)
    await machine.apply(batch(n, n, [message({ user, to, msgId: `m${n}`, body })]))
    if (n % 20 === 0) await machine.machine.checkpoint()
  }
  return machine
}

export function backupsOf(machine: Machine, more: { store?: () => Store | null } = {}): Backups {
  return new Backups({
    clock: machine.clock,
    log: { formation: OLD_FORMATION } as unknown as LogStorage,
    node: 'n2',
    version: '1.2.3',
    store: () => machine.directory.store,
    checkpoint: () => machine.machine.checkpoint(),
    ...more,
  })
}

export async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const bytes of chunks) all.push(bytes)
  return Buffer.concat(all)
}

/** The file of a whole backup. */
export async function sampleBackup(machine: Machine): Promise<Buffer> {
  const opened = await backupsOf(machine).open()
  try {
    return await bytesOf(opened!.chunks)
  } finally {
    await opened!.close()
  }
}

/** The bytes again, in pieces of that size. */
export async function* pieces(bytes: Uint8Array, size = 1_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export function realPorts(fileSystem: FileSystem = new NodeFileSystem()): OfflinePorts {
  return {
    fileSystem,
    clock: new NodeClock(),
    random: new NodeRandom(),
    databases: new LevelDatabaseFactory(fileSystem),
  }
}

export const targetsIn = (folder: string, names: readonly string[]): RestoreTarget[] =>
  names.map((name, at) => ({
    name,
    peerAddress: `127.0.0.1:${7501 + at}`,
    clientUrl: `http://127.0.0.1:${7401 + at}`,
    directory: join(folder, name),
  }))

export async function restored(
  bytes: Uint8Array,
  targets: readonly RestoreTarget[],
  fileSystem?: FileSystem,
) {
  const file = () => pieces(bytes, 50_000)
  const { manifest } = await checkBackup(file)
  return restore({ ports: realPorts(fileSystem), file, manifest, targets })
}

/** As a node opens it. */
export function open({ directory, name }: RestoreTarget): Promise<NodeData> {
  const settings = {
    name,
    dataDirectory: directory,
    initialMembers: [],
    dev: false,
    foundAlone: true,
  }
  return openNodeData(settings as never, realPorts() as never, {
    logger: new RecordingLogger(),
    failpoints: NO_FAILPOINTS,
    onFailure: () => undefined,
  })
}

export async function close({ stateMachine, stores, log }: NodeData): Promise<void> {
  await stateMachine.close()
  await stores.close()
  await log.close()
}
