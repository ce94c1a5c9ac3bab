import type { FileSystem, Formation, Member } from '#cluster'
import type { BackupManifest } from './backup-manifest.ts'
import { RefusedError } from './refused-error.ts'
import { newIdentity } from './new-identity.ts'
import { type OfflinePorts, PreparedMember } from './prepared-member.ts'
import { type BackupFile, readBackup } from './read-backup.ts'

/** A member of the cluster to be, and the directory that it will run with. */
export interface RestoreTarget extends Omit<Member, 'id'> {
  readonly directory: string
}

export interface RestoreOptions {
  readonly ports: OfflinePorts
  readonly file: BackupFile
  /** As `checkBackup` read it from the same file: nothing is written from one that is not whole. */
  readonly manifest: BackupManifest
  /** Every member of the new cluster. */
  readonly targets: readonly RestoreTarget[]
  /** Told before each member is written. */
  readonly onMember?: (name: string) => void
}

export interface Restored {
  readonly manifest: BackupManifest
  readonly clusterId: string
  readonly epoch: string
  /** Where the new cluster starts: one entry after the backup, which names its members. */
  readonly index: number
}

/**
 * Writes a new cluster that holds what the backup does: its own cluster id and epoch (rule K8), its own
 * members. Directories that hold anything are refused before anything is written. After a crash each directory is as it was, or starts as the new member.
 *
 * @throws BackupError, RefusedError
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { ports, file, manifest, targets, onMember = () => undefined } = options
  await checkTargets(ports.fileSystem, targets)
  const members: PreparedMember[] = []
  const identity = newIdentity(ports.random)
  let position = { index: 0, stateHash: '' }
  try {
    for (const { directory, name } of targets) {
      members.push(await PreparedMember.begin(ports, directory, name))
    }
    const formation: Formation = { ...identity, configuration: configurationOf(targets, members) }
    for (const [at, member] of members.entries()) {
      onMember(targets[at]!.name)
      const content = { cut: manifest, pairs: readBackup(file), entries: [] }
      position = await member.fill(content, formation)
    }
  } catch (error) {
    for (const member of members) await member.close().catch(() => undefined)
    throw error
  }
  for (const member of members) await member.commit('')
  return { manifest, ...identity, index: position.index }
}

/** @throws RefusedError unless all of them are empty, or not there */
export async function checkTargets(
  fileSystem: FileSystem,
  targets: readonly RestoreTarget[],
): Promise<void> {
  for (const { directory, name } of targets) {
    const names = (await fileSystem.list(directory)).filter((each) => each !== 'lost+found')
    if (names.length === 0) continue
    throw new RefusedError(
      `${directory} is not empty (${names.slice(0, 3).join(', ')}): a restore writes new directories only. Name another one for ${name}, or move this one away`,
    )
  }
}

function configurationOf(targets: readonly RestoreTarget[], members: readonly PreparedMember[]) {
  const voters = targets.map(({ name, peerAddress, clientUrl }, at) => {
    return { id: members[at]!.raftId, name, peerAddress, clientUrl }
  })
  return { voters, outgoing: [], learners: [] }
}
