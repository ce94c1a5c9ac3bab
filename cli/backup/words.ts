import type { BackupManifest } from '#node'

/** 1536 → "1.5 KiB". */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let value = bytes
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

export const moment = (ms: number): string => new Date(ms).toISOString()

/** What a backup holds, in two lines for people. */
export function manifestLines(manifest: BackupManifest): string[] {
  const { clusterId, epoch, index, term, logTimeMs, takenAtMs, conversations, users } = manifest
  return [
    `holds  ${conversations} conversations and ${users} users · up to index ${index}, term ${term} · cluster ${clusterId}, epoch ${epoch}`,
    `as of  ${moment(takenAtMs)}: whatever was acknowledged before is inside (log time ${logTimeMs})`,
  ]
}
