import { Level } from 'level'
import { ChatError } from '../errors.ts'
import type { StoreDatabase } from '../store/store-database.ts'
import { takeWebLock, type WebLocks } from './web-lock.ts'

/**
 * LevelDB in Node.js, IndexedDB in browsers.
 * @throws ChatError STORE_LOCKED if another process or tab has it, STORE_DAMAGED, STORE_FAILED.
 */
export async function openLevelDatabase(location: string): Promise<StoreDatabase> {
  const release = await lockInBrowser(location)
  const level = new Level<string, Uint8Array>(location, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
  })
  try {
    await level.open()
  } catch (error) {
    release()
    throw openingFailed(location, error)
  }
  return {
    readAll: async () => {
      try {
        return await level.iterator().all()
      } catch (error) {
        throw openingFailed(location, error)
      }
    },
    write: (batch) =>
      level.batch(
        batch.map(([key, value]) =>
          value === null ? { type: 'del', key } : { type: 'put', key, value },
        ),
        // Of LevelDB alone; IndexedDB has its transactions.
        { sync: true } as object,
      ),
    close: async () => {
      await level.close()
      release()
    },
  }
}

/** LevelDB locks its directory; IndexedDB lets every tab in, so tabs need a lock of their own. */
async function lockInBrowser(location: string): Promise<() => void> {
  const { indexedDB, navigator } = globalThis as {
    indexedDB?: object
    navigator?: { readonly locks?: WebLocks }
  }
  if (indexedDB === undefined || navigator?.locks === undefined) return () => {}
  const release = await takeWebLock(navigator.locks, `parley store ${location}`)
  if (release === null) throw locked(location, null)
  return release
}

const locked = (location: string, cause: unknown): ChatError =>
  new ChatError(
    'STORE_LOCKED',
    `${location} is in use by another client, process or tab: close that one, or give each its own ` +
      'device and store',
    { cause },
  )

function openingFailed(location: string, error: unknown): ChatError {
  const codes: unknown[] = []
  let cause: unknown = error
  for (; cause instanceof Error; cause = cause.cause) {
    codes.push((cause as { code?: unknown }).code)
    error = cause
  }
  const reason = error instanceof Error ? error.message : String(error)
  if (codes.includes('LEVEL_LOCKED')) return locked(location, error)
  if (codes.includes('LEVEL_CORRUPTION')) {
    return new ChatError(
      'STORE_DAMAGED',
      `${location} cannot be read (${reason}). Keep a copy and begin with an empty directory; what ` +
        'was queued in it may not have been sent: look for it in the history',
      { outcome: 'unknown', cause: error },
    )
  }
  return new ChatError('STORE_FAILED', `${location} cannot be opened: ${reason}`, { cause: error })
}
