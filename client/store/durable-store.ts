import { assert } from '../assert.ts'
import { ChatError } from '../errors.ts'
import type { ClientStore, StoreChange, StoreContents } from './client-store.ts'
import { otherDevice } from './memory-store.ts'
import { readStore, type StoreDamage } from './read-store.ts'
import { DEFAULT_LIMITS, StoreIndex, type StoreLimits } from './store-index.ts'
import type { Assignment, StoreDatabase } from './store-database.ts'
import { FORMAT, KEYS, isEventKey, seal, toMessageRecord } from './store-records.ts'

export interface StoreOptions extends StoreLimits {
  /**
   * What to do with values that are damaged. `refuse`: nothing is opened, and the error names them.
   * `setAside`: they are put out of the way and listed in `damage`, and the rest goes on.
   * @default 'refuse'
   */
  readonly damaged: 'refuse' | 'setAside'
}

/**
 * A store on a database. Each change is one atomic batch, durable before it is reported; changes
 * that come while one is being written share the next. So what waits here is bounded by what the
 * store may hold.
 */
export class DurableStore implements ClientStore {
  readonly keepsEvents = true
  readonly #openDatabase: () => Promise<StoreDatabase>
  readonly #options: StoreOptions
  #index: StoreIndex
  #database: StoreDatabase | null = null
  #damage: readonly StoreDamage[] = []
  /** Checksum by key of all that the ledger counts. */
  #sums = new Map<string, number>()
  #sum = 0
  #waiting: { batch: Map<string, Uint8Array | null>; written: Promise<void> } | null = null
  #writing: Promise<void> = Promise.resolve()
  #failure: ChatError | null = null

  constructor(openDatabase: () => Promise<StoreDatabase>, options: Partial<StoreOptions> = {}) {
    this.#openDatabase = openDatabase
    this.#options = { ...DEFAULT_LIMITS, damaged: 'refuse', ...options }
    this.#index = new StoreIndex(this.#options)
  }

  /** What was set aside when it was opened. */
  get damage(): readonly StoreDamage[] {
    return this.#damage
  }

  async open(device: string): Promise<StoreContents> {
    if (this.#database !== null) {
      throw new ChatError('STORE_LOCKED', 'another client of this process uses this store')
    }
    const database = await this.#openDatabase()
    try {
      return await this.#take(database, device)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  write(change: StoreChange): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    assert(this.#database !== null, 'a store is written between open and close')
    this.#index.admit(change)
    this.#waiting ??= this.#nextBatch(this.#database)
    this.#stage(change)
    return this.#waiting.written
  }

  async close(): Promise<void> {
    const database = this.#database
    if (database === null) return
    await (this.#waiting?.written ?? this.#writing).catch(() => {})
    this.#database = null
    // Whatever it was, the next open finds it.
    await database.close().catch(() => {})
  }

  async #take(database: StoreDatabase, device: string): Promise<StoreContents> {
    const found = readStore(await database.readAll())
    if (found.format !== null && found.format.format !== FORMAT) {
      throw new ChatError(
        'STORE_FAILED',
        `the store has format ${found.format.format}, this version reads ${FORMAT}: use the version that wrote it`,
      )
    }
    if (found.format !== null && found.format.device !== device) {
      throw otherDevice(found.format.device, device)
    }
    if (found.damage.length > 0 && this.#options.damaged === 'refuse') throw refusal(found.damage)
    this.#damage = found.damage
    this.#failure = null
    this.#index = new StoreIndex(this.#options)
    for (const { number, message } of found.messages) this.#index.place(message, number)
    for (const { conv } of found.cursors) this.#index.setCursor(conv)
    this.#sums = new Map(found.sums)
    this.#sum = 0
    for (const crc of this.#sums.values()) this.#sum = (this.#sum + crc) >>> 0
    const repairs: Assignment[] = found.damage.flatMap(({ key, value }) =>
      value === null
        ? []
        : [
            [key, null],
            [KEYS.aside(key), value],
          ],
    )
    if (repairs.length > 0 || found.damage.length > 0 || found.format === null) {
      const format = seal(KEYS.format, { format: FORMAT, device })
      await database.write([...repairs, [KEYS.format, format.value], this.#ledger()])
    }
    this.#database = database
    const { cursors, events, places, session } = found
    const messages = found.messages.map(({ message }) => message)
    return { messages, cursors, events, places, session }
  }

  /** Written as soon as the one before it is. */
  #nextBatch(database: StoreDatabase) {
    const batch = new Map<string, Uint8Array | null>()
    const write = async (): Promise<void> => {
      this.#waiting = null
      if (this.#failure !== null) throw this.#failure
      try {
        await database.write([...batch, this.#ledger()])
      } catch (cause) {
        // What the database holds now, nobody knows: only a new open can tell.
        this.#failure = new ChatError('STORE_FAILED', `the store failed: ${describe(cause)}`, {
          outcome: 'unknown',
          cause,
        })
        throw this.#failure
      }
    }
    const written = this.#writing.then(write, write)
    this.#writing = written
    written.catch(() => {})
    return { batch, written }
  }

  #stage(change: StoreChange): void {
    for (const msgId of change.remove ?? []) {
      const number = this.#index.remove(msgId)
      if (number !== null) this.#set(KEYS.message(number, msgId), null)
    }
    for (const message of change.put ?? []) {
      const number = this.#index.put(message)
      this.#set(KEYS.message(number, message.msgId), toMessageRecord(message))
    }
    if (change.forgetCursors === true) {
      for (const conv of this.#index.forgetCursors()) this.#set(KEYS.cursor(conv), null)
      for (const key of this.#sums.keys()) if (isEventKey(key)) this.#set(key, null)
    }
    for (const { conv, seq } of change.dropEvents ?? []) this.#set(KEYS.event(conv, seq), null)
    for (const { conv, seq, frame } of change.events ?? []) {
      this.#set(KEYS.event(conv, seq), { frame })
    }
    for (const { slot } of change.dropPlaces ?? []) this.#set(KEYS.place(slot), null)
    for (const { slot, ...place } of change.places ?? []) this.#set(KEYS.place(slot), place)
    for (const { conv, delivered, inHand } of change.cursors ?? []) {
      this.#index.setCursor(conv)
      this.#set(KEYS.cursor(conv), { delivered, inHand })
    }
    if (change.session !== undefined) this.#set(KEYS.session, { ...change.session })
  }

  #set(key: string, record: unknown): void {
    const { batch } = this.#waiting!
    this.#sum = (this.#sum - (this.#sums.get(key) ?? 0)) >>> 0
    if (record === null) {
      this.#sums.delete(key)
      batch.set(key, null)
      return
    }
    const { value, crc } = seal(key, record)
    this.#sums.set(key, crc)
    this.#sum = (this.#sum + crc) >>> 0
    batch.set(key, value)
  }

  #ledger(): Assignment {
    const record = { values: this.#sums.size, sum: this.#sum }
    return [KEYS.ledger, seal(KEYS.ledger, record).value]
  }
}

function refusal(damage: readonly StoreDamage[]): ChatError {
  const named = damage
    .slice(0, 20)
    .map(({ what, reason }) => `${what}: ${reason}`)
    .join('; ')
  return new ChatError(
    'STORE_DAMAGED',
    `the store is damaged (${named}). Keep a copy; open it once with {damaged: 'setAside'} to go on ` +
      'with the rest. Messages named here may not have been sent: look for them in the history.',
    { outcome: 'unknown' },
  )
}

const describe = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause)
