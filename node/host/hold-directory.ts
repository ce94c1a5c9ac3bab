import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { DirectoryLockedError } from './directory-lock.ts'
import { FileError } from './file-error.ts'

const SQLITE_BUSY = 5

/**
 * Keeps nodes out of a directory until the returned function is called, and writes nothing: many may
 * hold it, and none while a node has it (`lockDirectory`).
 *
 * @throws DirectoryLockedError
 */
export function holdDirectory(directory: string): () => void {
  const path = `${directory}/LOCK`
  // Made by the first start, before anything else.
  if (!existsSync(path)) return () => undefined
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 0 })
    database.exec('BEGIN; SELECT * FROM sqlite_schema')
  } catch (cause) {
    database?.close()
    if ((cause as { errcode?: unknown }).errcode !== SQLITE_BUSY) {
      throw new FileError('lock', path, cause)
    }
    throw new DirectoryLockedError(
      `${directory} is in use by a running node: stop it first; a running node checks its store itself, once a day`,
      { cause },
    )
  }
  const held = database
  return () => held.close()
}
