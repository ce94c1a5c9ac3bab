import type { Put, Store } from '../store/store.ts'
import type { Table } from './object-table.ts'

const NOTHING = new Uint8Array(0)

/** How the names of one set stand in the store: a key for each, in a range of their own. */
export interface NameKeys {
  readonly key: (name: string) => Uint8Array
  readonly nameOf: (key: Uint8Array) => string
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/** A set of names, of any size: in memory is only what changed since the last cut. */
export class NameSet implements Table {
  readonly #store: Store
  readonly #keys: NameKeys
  /** Name → whether it is in the set now. */
  #fresh = new Map<string, boolean>()
  #frozen: ReadonlyMap<string, boolean> = new Map()

  constructor(store: Store, keys: NameKeys) {
    this.#store = store
    this.#keys = keys
  }

  set(name: string, isIn: boolean): void {
    this.#fresh.set(name, isIn)
  }

  async has(name: string): Promise<boolean> {
    const changed = this.#fresh.get(name) ?? this.#frozen.get(name)
    return changed ?? (await this.#store.get(this.#keys.key(name))) !== null
  }

  /** At most `limit` names after `after` ('': from the first) in the order of their keys. */
  async after(after: string, limit: number): Promise<string[]> {
    const { key, nameOf, from, to } = this.#keys
    // Memory first: what a cut writes meanwhile is then seen in one of the two.
    const changes = new Map([...this.#frozen, ...this.#fresh])
    const start = after === '' ? null : key(after)
    const isAfter = (name: Uint8Array): boolean => start === null || Buffer.compare(name, start) > 0
    const found = new Set<string>()
    for await (const pair of this.#store.range(start ?? from, to)) {
      const name = nameOf(pair.key)
      if (isAfter(pair.key) && changes.get(name) !== false) found.add(name)
      if (found.size === limit) break
    }
    for (const [name, isIn] of changes) if (isIn && isAfter(key(name))) found.add(name)
    const byKey = [...found].map((name) => ({ name, key: key(name) }))
    byKey.sort((a, b) => Buffer.compare(a.key, b.key))
    return byKey.slice(0, limit).map(({ name }) => name)
  }

  freeze(): Generator<Put> {
    this.#frozen = this.#fresh
    this.#fresh = new Map()
    return this.#puts(this.#frozen)
  }

  completed(): void {
    this.#frozen = new Map()
  }

  /** Nothing clean is in memory. */
  evict(): void {}

  *#puts(frozen: ReadonlyMap<string, boolean>): Generator<Put> {
    for (const [name, isIn] of frozen) {
      yield { key: this.#keys.key(name), value: isIn ? NOTHING : null }
    }
  }
}
