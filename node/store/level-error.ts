import { DISK_ADVICE } from '../disk-advice.ts'
import { DatabaseError, type DatabaseErrorKind } from './key-value-database.ts'

/** What LevelDB calls the system's errors, and what an operator can do about them. */
const ADVICE = [
  ['Input/output error', DISK_ADVICE.EIO],
  ['No space left on device', DISK_ADVICE.ENOSPC],
] as const

/** An error of the `level` package as what it means for the store. */
export function databaseError(error: unknown, during: 'open' | 'use'): DatabaseError {
  const source = error as { code?: string; message?: string; cause?: unknown }
  const isOpenFailure = during === 'open' && source.code === 'LEVEL_DATABASE_NOT_OPEN'
  const cause = (isOpenFailure ? (source.cause ?? error) : error) as typeof source
  const message = cause.message ?? 'an unknown failure'
  const advice = ADVICE.find(([text]) => message.includes(text))?.[1]
  const full = advice === undefined ? message : `${message} (${advice})`
  return new DatabaseError(kindOf(cause.code, message, during), full, { cause: error })
}

function kindOf(
  code: string | undefined,
  message: string,
  during: 'open' | 'use',
): DatabaseErrorKind {
  switch (code) {
    case 'LEVEL_CORRUPTION':
      return 'corrupt'
    case 'LEVEL_LOCKED':
      return 'locked'
    case 'LEVEL_IO_ERROR':
      return isBrokenFile(message, during) ? 'corrupt' : 'io'
    case undefined:
      // An invalid argument: a database that must be there has no CURRENT, or a foreign comparator.
      return during === 'open' ? 'corrupt' : 'io'
    default:
      return code.endsWith('_NOT_OPEN') ? 'closed' : 'io'
  }
}

/**
 * LevelDB reports a file that is gone, too short for what the manifest says of it (EINVAL from its
 * memory map) or unreadable as an I/O error, told from a lack of file descriptors or rights by the
 * text alone. Whatever is not listed is taken for the environment's fault: calling it damage would
 * throw away a good store, perhaps on every node at once. An open database only writes its log and
 * its manifest, so an error there says that the disk fails, and nothing of what it holds.
 */
function isBrokenFile(message: string, during: 'open' | 'use'): boolean {
  if (message.includes('No such file or directory') || message.includes('Invalid argument')) {
    return true
  }
  if (!message.includes('Input/output error')) return false
  return during === 'open' || !/\/(?:\d+\.log|MANIFEST-\d+): /.test(message)
}
