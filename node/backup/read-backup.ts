import { AssertionError } from '#cluster'
import { STATE_KEY } from '../state-machine/keys.ts'
import { decodeStateRecord } from '../state-machine/state-record.ts'
import type { Pair } from '../store/store.ts'
import { BackupDecoder } from './backup-codec.ts'
import { BackupError } from './backup-error.ts'
import type { BackupManifest } from './backup-manifest.ts'

/** Opens the file anew: from its beginning, in pieces of any size. */
export type BackupFile = () => AsyncIterable<Uint8Array>

/**
 * The pairs of a backup, each piece verified before it is given out, the whole by the end of the walk.
 *
 * @throws BackupError
 */
export async function* readBackup(
  file: BackupFile,
  onManifest: (manifest: BackupManifest) => void = () => undefined,
): AsyncGenerator<readonly Pair[]> {
  const decoder = new BackupDecoder()
  let isTold = false
  for await (const bytes of file()) {
    const pairs = decoder.push(bytes)
    if (!isTold && decoder.manifest !== null) {
      isTold = true
      onManifest(decoder.manifest)
    }
    if (pairs.length > 0) yield pairs
  }
  decoder.finish()
}

/**
 * Reads all of it and keeps nothing: whether a restore would come to its end.
 *
 * @throws BackupError
 */
export async function checkBackup(
  file: BackupFile,
): Promise<{ readonly manifest: BackupManifest; readonly pairs: number }> {
  let manifest: BackupManifest | null = null
  let count = 0
  for await (const pairs of readBackup(file, (read) => (manifest = read))) {
    if (count === 0) checkState(pairs[0])
    count += pairs.length
  }
  return { manifest: manifest as unknown as BackupManifest, pairs: count }
}

/** Its first pair is the state as a whole, in a format of its own. */
function checkState(pair: Pair | undefined): void {
  if (pair === undefined || Buffer.compare(pair.key, STATE_KEY) !== 0) {
    throw new BackupError('damaged', 'its state record is missing')
  }
  try {
    decodeStateRecord(pair.value)
  } catch (cause) {
    if (cause instanceof AssertionError) throw new BackupError('newer', cause.message, { cause })
    throw cause
  }
}
