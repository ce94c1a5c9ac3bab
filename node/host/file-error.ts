import { DISK_ADVICE } from '../disk-advice.ts'

/** What an operator can do about the usual ones. */
const ADVICE: Record<string, string> = {
  ...DISK_ADVICE,
  EDQUOT: 'the quota of this user is used up: raise it, then start the node again',
  EROFS:
    'the file system is read-only: check the kernel log, remount it, then start the node again',
  EACCES: 'give the user that runs the node access to it',
  EPERM: 'give the user that runs the node access to it',
  EMFILE: 'raise the limit of open files (ulimit -n)',
  ENFILE: 'raise the limit of open files of the machine (fs.file-max)',
  ENOENT: 'it does not exist: check the path',
  EEXIST: 'it exists already',
  ENOTDIR: 'a part of the path is a file: check the path',
}

/** A failed file operation: what was done to which path, and what to do about it. */
export class FileError extends Error {
  override readonly name = 'FileError'
  /** The operating system's code, such as `ENOSPC`. */
  readonly code: string
  readonly path: string

  constructor(operation: string, path: string, cause: unknown) {
    const code = codeOf(cause)
    const advice = ADVICE[code] ?? (cause instanceof Error ? cause.message : String(cause))
    super(`cannot ${operation} ${path} (${code}): ${advice}`, { cause })
    this.code = code
    this.path = path
  }
}

function codeOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'UNKNOWN'
}
