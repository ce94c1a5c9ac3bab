import type { StoreDatabase } from '#client/store'
import { DatabaseError, type KeyValueDatabaseFactory } from '../../node/store/key-value-database.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A simulated database as the SDK's store wants it. */
export async function openSdkDatabase(
  databases: KeyValueDatabaseFactory,
  path: string,
): Promise<StoreDatabase> {
  const database = await databases.open(path, { create: false }).catch((error: unknown) => {
    if (!(error instanceof DatabaseError && error.kind === 'corrupt')) throw error
    return databases.open(path, { create: true })
  })
  return {
    readAll: async () => {
      const from = new Uint8Array(0)
      const iterator = database.iterate({ from, to: new Uint8Array(100).fill(255) })
      const pairs: [string, Uint8Array][] = []
      for (;;) {
        const page = await iterator.next(100)
        if (page.length === 0) return pairs
        for (const { key, value } of page) pairs.push([decoder.decode(key), value])
      }
    },
    write: async (assignments) => {
      const batch = database.batch()
      for (const [key, value] of assignments) {
        if (value === null) batch.delete(encoder.encode(key))
        else batch.put(encoder.encode(key), value)
      }
      await batch.write()
    },
    close: () => database.close(),
  }
}
