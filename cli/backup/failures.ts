import { CliError, ExitCode } from '../exit-codes.ts'

/** What the node's package refuses, as the end of a command. */
export async function asCliError<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const { code, isRefused } = error as { code?: unknown; isRefused?: unknown }
    if (code === 'BACKUP_UNUSABLE' || isRefused === true) {
      throw new CliError(ExitCode.refused, (error as Error).message, { cause: error })
    }
    if (code === 'ENOSPC' || code === 'DISK_FULL') {
      const advice = 'make room there and run the command again'
      throw new CliError(ExitCode.failed, `${(error as Error).message}: ${advice}`, {
        cause: error,
      })
    }
    throw error
  }
}
