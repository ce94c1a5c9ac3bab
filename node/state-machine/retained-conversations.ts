import type { Put, Store } from '../store/store.ts'
import { conversationOfRetainedKey, retainedKey, RETAINED_RANGE } from './keys.ts'
import type { Table } from './object-table.ts'

const NOTHING = new Uint8Array(0)

/**
 * Which conversations have a retention policy: a key for each in the store, and in memory only what
 * changed since the last cut.
 */
export class RetainedConversations implements Table {
  readonly #store: Store
  /** Id → whether it has one now. */
  #fresh = new Map<string, boolean>()
  #frozen: ReadonlyMap<string, boolean> = new Map()

  constructor(store: Store) {
    this.#store = store
  }

  changed(conv: string, isRetained: boolean): void {
    this.#fresh.set(conv, isRetained)
  }

  /** At most `limit` ids after `after` in the order of their keys; fewer only at the end. */
  async after(after: string, limit: number): Promise<string[]> {
    // Memory first: what a cut writes meanwhile is then seen in one of the two.
    const changes = new Map([...this.#frozen, ...this.#fresh])
    const start = retainedKey(after)
    const isAfter = (key: Uint8Array): boolean => after === '' || Buffer.compare(key, start) > 0
    const found = new Set<string>()
    const from = after === '' ? RETAINED_RANGE.from : start
    for await (const { key } of this.#store.range(from, RETAINED_RANGE.to)) {
      const conv = conversationOfRetainedKey(key)
      if (isAfter(key) && changes.get(conv) !== false) found.add(conv)
      if (found.size === limit) break
    }
    for (const [conv, isRetained] of changes) {
      if (isRetained && isAfter(retainedKey(conv))) found.add(conv)
    }
    const byKey = [...found].map((conv) => ({ conv, key: retainedKey(conv) }))
    byKey.sort((a, b) => Buffer.compare(a.key, b.key))
    return byKey.slice(0, limit).map(({ conv }) => conv)
  }

  freeze(): Generator<Put> {
    this.#frozen = this.#fresh
    this.#fresh = new Map()
    return putsOf(this.#frozen)
  }

  completed(): void {
    this.#frozen = new Map()
  }

  /** Nothing clean is in memory. */
  evict(): void {}
}

function* putsOf(frozen: ReadonlyMap<string, boolean>): Generator<Put> {
  for (const [conv, isRetained] of frozen) {
    yield { key: retainedKey(conv), value: isRetained ? NOTHING : null }
  }
}
