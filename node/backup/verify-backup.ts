import { createHash } from 'node:crypto'
import { encodeSnapshot } from '../state-machine/snapshot-codec.ts'
import { ParleyStateMachine } from '../state-machine/state-machine.ts'
import { openStoreDirectory } from '../store/store-directory.ts'
import type { CutPosition, Pair, Store } from '../store/store.ts'
import { BackupError } from './backup-error.ts'
import type { BackupManifest } from './backup-manifest.ts'
import { install, type OfflinePorts } from './prepared-member.ts'
import { type BackupFile, checkBackup, readBackup } from './read-backup.ts'

export interface VerifiedContent {
  readonly manifest: BackupManifest
  /** Keys and values of the store. */
  readonly pairs: number
  /** Events of all conversations together, those that retention removed included. */
  readonly events: number
  /** SHA-256 over the content, the same from the file and from the store that it was loaded into. */
  readonly contentHash: string
}

/**
 * Reads all of a backup, loads it into a store of its own in an empty directory, opens the state on it
 * and compares: what cannot be restored is found here, and not on the day it is needed.
 *
 * @throws BackupError
 */
export async function verifyBackup(
  ports: OfflinePorts,
  file: BackupFile,
  directory: string,
): Promise<VerifiedContent> {
  const { manifest, pairs } = await checkBackup(file)
  const fromFile = await contentHash(manifest, single(readBackup(file)))
  const stores = await openStoreDirectory({ ...ports, directory })
  try {
    await install(stores, manifest, readBackup(file))
    const store = stores.store as Store
    const snapshot = await store.snapshot()
    const fromStore = await contentHash(snapshot.cut, snapshot.pairs())
    await snapshot.close()
    if (fromStore !== fromFile) throw damaged('what was loaded is not what the file holds')
    const machine = await ParleyStateMachine.open({
      ...ports,
      directory: stores,
      configuration: () => manifest.configuration,
      onFailure: () => undefined,
    })
    const { reader, appliedIndex, appliedTerm, logTime, statistics } = machine
    const { stateHash, feedHead } = reader
    await machine.close()
    const isSame =
      appliedIndex === manifest.index &&
      appliedTerm === manifest.term &&
      logTime === manifest.logTimeMs &&
      stateHash === manifest.stateHash &&
      statistics.conversations === manifest.conversations
    if (!isSame) throw damaged('its state is of another moment than its manifest says')
    return { manifest, pairs, events: feedHead, contentHash: fromStore }
  } finally {
    await stores.close()
  }
}

async function contentHash(cut: CutPosition, pairs: AsyncIterable<Pair>): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of encodeSnapshot(cut, pairs)) hash.update(bytes)
  return hash.digest('hex')
}

async function* single(pages: AsyncIterable<readonly Pair[]>): AsyncGenerator<Pair> {
  for await (const page of pages) yield* page
}

function damaged(what: string): BackupError {
  return new BackupError('damaged', what)
}
