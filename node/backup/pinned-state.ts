import { STATE_KEY } from '../state-machine/keys.ts'
import { decodeStateRecord, type StateRecord } from '../state-machine/state-record.ts'
import { StoreDamagedError, type StoreSnapshot } from '../store/store.ts'

/** What a pinned cut says of itself: the first of all its pairs. */
export async function pinnedState(snapshot: StoreSnapshot): Promise<StateRecord> {
  for await (const { key, value } of snapshot.pairs()) {
    if (Buffer.compare(key, STATE_KEY) !== 0) break
    return decodeStateRecord(value)
  }
  throw new StoreDamagedError('the state record is missing from a cut')
}
