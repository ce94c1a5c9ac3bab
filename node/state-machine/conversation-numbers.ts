import { assert } from '#cluster'
import type { Put, Store } from '../store/store.ts'
import { StoreDamagedError } from '../store/store.ts'
import { numberKey } from './keys.ts'
import type { Table } from './object-table.ts'

/**
 * Conversations are numbered from 1 in the order they came, so that inboxes name them in a few bytes.
 * In memory are the ids that no cut holds yet; every other one is in the store for good (rule K5).
 */
export class ConversationNumbers implements Table {
  readonly #store: Store
  /** Ids from number `#written + 1` on. */
  #fresh: string[] = []
  #written: number
  #frozen = 0

  /** `count` conversations are in the store. */
  constructor(store: Store, count: number) {
    this.#store = store
    this.#written = count
  }

  /** How many conversations there are. */
  get count(): number {
    return this.#written + this.#fresh.length
  }

  /** The number of a new conversation. */
  add(id: string): number {
    this.#fresh.push(id)
    return this.count
  }

  /** The ids of the numbers, in their order. Throws `StoreDamagedError` if one is not known. */
  async ids(numbers: readonly number[]): Promise<string[]> {
    const found = numbers.map((number) => {
      assert(number >= 1 && number <= this.count, `no conversation has the number ${number}`)
      return number > this.#written ? this.#fresh[number - this.#written - 1]! : null
    })
    const cold = numbers.filter((_, i) => found[i] === null)
    const values = cold.length === 0 ? [] : await this.#store.getMany(cold.map(numberKey))
    let next = 0
    return found.map((id, i) => {
      if (id !== null) return id
      const value = values[next++] ?? null
      if (value !== null) return Buffer.from(value).toString()
      throw new StoreDamagedError(`conversation number ${numbers[i]} is missing from the store`)
    })
  }

  freeze(): Generator<Put> {
    this.#frozen = this.#fresh.length
    return this.#puts(this.#written, this.#frozen)
  }

  completed(): void {
    this.#fresh = this.#fresh.slice(this.#frozen)
    this.#written += this.#frozen
    this.#frozen = 0
  }

  /** Written ids do not stay. */
  evict(): void {}

  *#puts(written: number, count: number): Generator<Put> {
    for (let i = 0; i < count; i += 1) {
      yield { key: numberKey(written + i + 1), value: Buffer.from(this.#fresh[i]!) }
    }
  }
}
