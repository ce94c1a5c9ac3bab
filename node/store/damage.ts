import { DatabaseError } from './key-value-database.ts'
import { StoreDamagedError } from './store.ts'

/** A database that finds its own files broken means a damaged store; other errors stay as they are. */
export function asDamage(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('not an error was thrown', { cause: error })
  if (!(error instanceof DatabaseError) || error.kind !== 'corrupt') return error
  return new StoreDamagedError(`the store's database is damaged: ${error.message}`, {
    cause: error,
  })
}

export async function detectDamage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw asDamage(error)
  }
}
