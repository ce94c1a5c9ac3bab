import type { Pair } from '../store/store.ts'
import { BackupDecoder } from './backup-codec.ts'
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

/** Reads all of it and keeps nothing. */
export async function checkBackup(
  file: BackupFile,
): Promise<{ readonly manifest: BackupManifest; readonly pairs: number }> {
  let manifest: BackupManifest | null = null
  let count = 0
  for await (const pairs of readBackup(file, (read) => (manifest = read))) count += pairs.length
  return { manifest: manifest as unknown as BackupManifest, pairs: count }
}
