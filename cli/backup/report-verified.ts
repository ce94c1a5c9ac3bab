import type { BackupManifest } from '#node'
import { adminCall } from '../cluster/admin-call.ts'
import { findUrls } from '../cluster/find-urls.ts'
import { CliError } from '../exit-codes.ts'

/**
 * Tells the cluster that the backup is good, which keeps the alert on stale backups still.
 *
 * @returns why nobody could be told, `null` if somebody was
 */
export async function reportVerified(
  { clusterId, epoch, index, takenAtMs }: BackupManifest,
  call: {
    readonly url: readonly string[] | undefined
    readonly tokenFile: string | undefined
    readonly timeoutMs: number
  },
): Promise<string | null> {
  try {
    const body = { clusterId, epoch, index, takenAtMs }
    const urls = findUrls(call.url)
    await adminCall('/v1/cluster/backup/verified', { ...call, urls, body })
    return null
  } catch (error) {
    if (error instanceof CliError) return error.message
    throw error
  }
}
