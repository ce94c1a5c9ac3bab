import { ChatError } from '../errors.ts'
import {
  EMPTY_SESSION,
  type ClientStore,
  type StoreChange,
  type StoreContents,
  type StoredCursor,
  type StoredMessage,
  type StoredPlace,
  type StoredSession,
} from './client-store.ts'
import { DEFAULT_LIMITS, StoreIndex, type StoreLimits } from './store-index.ts'

/** Keeps it in memory: it survives a client that hands its store on, not the process. */
export class MemoryStore implements ClientStore {
  readonly keepsEvents = false
  readonly #index: StoreIndex
  readonly #messages = new Map<string, StoredMessage>()
  readonly #cursors = new Map<string, StoredCursor>()
  readonly #places = new Map<number, StoredPlace>()
  #session: StoredSession = EMPTY_SESSION
  #device: string | null = null

  constructor(limits: Partial<StoreLimits> = {}) {
    this.#index = new StoreIndex({ ...DEFAULT_LIMITS, ...limits })
  }

  async open(device: string): Promise<StoreContents> {
    if (this.#device !== null && this.#device !== device) throw otherDevice(this.#device, device)
    this.#device = device
    return {
      messages: [...this.#messages.values()],
      cursors: [...this.#cursors.values()],
      events: [],
      places: [...this.#places.values()],
      session: this.#session,
    }
  }

  write(change: StoreChange): undefined {
    this.#index.admit(change)
    for (const msgId of change.remove ?? []) {
      this.#index.remove(msgId)
      this.#messages.delete(msgId)
    }
    for (const message of change.put ?? []) {
      this.#index.put(message)
      this.#messages.set(message.msgId, message)
    }
    if (change.forgetCursors === true) {
      this.#index.forgetCursors()
      this.#cursors.clear()
    }
    for (const cursor of change.cursors ?? []) {
      this.#index.setCursor(cursor.conv)
      this.#cursors.set(cursor.conv, cursor)
    }
    for (const { slot } of change.dropPlaces ?? []) this.#places.delete(slot)
    for (const place of change.places ?? []) this.#places.set(place.slot, place)
    this.#session = change.session ?? this.#session
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** Its unsettled messages would lose their order, and their ids their meaning. */
export const otherDevice = (owner: string, device: string): ChatError =>
  new ChatError(
    'STORE_MISMATCH',
    `the store belongs to device ${owner}, not to ${device}: give each device a store of its own`,
  )
