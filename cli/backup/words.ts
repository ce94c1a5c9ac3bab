import type { BackupManifest } from '#node'
import { counted } from '../counted.ts'

export const moment = (ms: number): string => new Date(ms).toISOString()

/** What a backup holds, in two lines for people. */
export function manifestLines(manifest: BackupManifest): string[] {
  const { clusterId, epoch, index, term, logTimeMs, takenAtMs, conversations, users } = manifest
  return [
    `holds  ${counted(conversations, 'conversation')} and ${counted(users, 'user')} · up to index ${index}, term ${term} · cluster ${clusterId}, epoch ${epoch}`,
    `as of  ${moment(takenAtMs)}: whatever was acknowledged before is inside (log time ${logTimeMs})`,
  ]
}
