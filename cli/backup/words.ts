import type { BackupManifest } from '#node'

export const moment = (ms: number): string => new Date(ms).toISOString()

/** What a backup holds, in two lines for people. */
export function manifestLines(manifest: BackupManifest): string[] {
  const { clusterId, epoch, index, term, logTimeMs, takenAtMs, conversations, users } = manifest
  return [
    `holds  ${conversations} conversations and ${users} users · up to index ${index}, term ${term} · cluster ${clusterId}, epoch ${epoch}`,
    `as of  ${moment(takenAtMs)}: whatever was acknowledged before is inside (log time ${logTimeMs})`,
  ]
}
