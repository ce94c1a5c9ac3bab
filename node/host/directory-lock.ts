import fs from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { FileError } from './file-error.ts'

const SQLITE_BUSY = 5

/** Another process has the directory. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError'
  readonly code = 'LOCKED'
}

/**
 * Takes a directory for this process until the returned function is called. SQLite's exclusive lock
 * on an empty database is a lock of the operating system: it ends with the process however that
 * dies, and holds across containers that share the volume, where a process number says nothing.
 * Nothing else in this process may open `LOCK`: closing it would drop the lock.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = `${directory}/LOCK`
  const holderPath = `${directory}/LOCK.holder`
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path, { timeout: 0 })
  } catch (cause) {
    throw new FileError('lock', path, cause)
  }
  try {
    // Without a journal no other file appears, and nothing is ever written to this one.
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    if ((cause as { errcode?: unknown }).errcode !== SQLITE_BUSY) {
      throw new FileError('lock', path, cause)
    }
    const holder = await fs.readFile(holderPath, 'utf8').catch(() => 'another process')
    throw new DirectoryLockedError(
      `${directory} is in use by ${holder}: stop that one first, or give this node a directory of its own`,
      { cause },
    )
  }
  try {
    await fs.writeFile(holderPath, `process ${process.pid}`, { mode: 0o600 })
  } catch (cause) {
    database.close()
    throw new FileError('write', holderPath, cause)
  }
  return async () => {
    if (database.isOpen) database.close()
  }
}
