import { assert } from './assert.ts'

/**
 * What was received and not yet taken by the application. Bounded: a producer looks at `room`
 * before it puts something in, and is told when there is room again.
 */
export class EventQueue<Item> {
  readonly #capacity: number
  readonly #onRoom: () => void
  readonly #ring: (Item | undefined)[] = []
  #first = 0
  #size = 0
  #taker: { resolve: (item: Item | null) => void; reject: (error: Error) => void } | null = null
  #end: { error: Error | null } | null = null

  constructor(capacity: number, onRoom: () => void) {
    this.#capacity = capacity
    this.#onRoom = onRoom
  }

  get size(): number {
    return this.#size
  }

  get room(): number {
    return this.#end === null ? this.#capacity - this.#size : 0
  }

  put(item: Item): void {
    if (this.#end !== null) return
    if (this.#taker !== null) {
      const taker = this.#taker
      this.#taker = null
      return taker.resolve(item)
    }
    assert(this.#size < this.#capacity, 'the queue has room')
    this.#ring[(this.#first + this.#size) % this.#capacity] = item
    this.#size++
  }

  /** The next item, `null` after the end. What was put before the end is still given out. */
  take(): Promise<Item | null> {
    if (this.#size > 0) {
      const item = this.#ring[this.#first] as Item
      this.#ring[this.#first] = undefined
      this.#first = (this.#first + 1) % this.#capacity
      this.#size--
      // Asking again for every single item would make every pull a pull of one.
      if (this.#size === this.#capacity >> 1 || this.#size === 0) this.#onRoom()
      return Promise.resolve(item)
    }
    if (this.#end !== null) {
      return this.#end.error === null ? Promise.resolve(null) : Promise.reject(this.#end.error)
    }
    return new Promise((resolve, reject) => {
      this.#taker = { resolve, reject }
    })
  }

  /** Drops what nobody took. */
  clear(): void {
    this.#ring.length = 0
    this.#first = 0
    this.#size = 0
  }

  end(error: Error | null = null): void {
    if (this.#end !== null) return
    this.#end = { error }
    const taker = this.#taker
    this.#taker = null
    if (taker === null) return
    if (error === null) taker.resolve(null)
    else taker.reject(error)
  }
}
