import type { BackupManifest } from '#node'
import { adminCall } from '../cluster/admin-call.ts'
import { adminCallOf, type OperatorFlags } from '../cluster/operator-flags.ts'
import { CliError } from '../exit-codes.ts'

/**
 * Tells the cluster that the backup is good, which keeps the alert on stale backups still.
 *
 * @returns why nobody could be told, `null` if somebody was
 */
export async function reportVerified(
  { clusterId, epoch, index, takenAtMs }: BackupManifest,
  flags: OperatorFlags,
): Promise<string | null> {
  try {
    const body = { clusterId, epoch, index, takenAtMs }
    await adminCall('/v1/cluster/backup/verified', { ...adminCallOf(flags), body })
    return null
  } catch (error) {
    if (error instanceof CliError) return error.message
    throw error
  }
}
