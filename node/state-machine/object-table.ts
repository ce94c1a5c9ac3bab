import { assert } from '#cluster'
import type { Put, Store } from '../store/store.ts'
import { ClockHand } from './clock-hand.ts'

/** What a table keeps about each object. Only the table changes these fields. */
export class TableObject {
  readonly id: string
  /** Generation in which it last changed; 0: as in the store. */
  dirtyGeneration = 0
  /** Generation that it was last encoded for. */
  encodedGeneration = 0
  /** Its bytes at the freeze, if it changed before the cut under way came to it. */
  frozen: Uint8Array | null = null
  /** Looked at since the evicting hand last passed. */
  used = true
  /** It left memory: whoever still points at it looks it up anew. */
  gone = false

  constructor(id: string) {
    this.id = id
  }
}

/** How objects of one kind stand in the store: one value each, under a key made of their id. */
export interface ObjectKind<T extends TableObject> {
  /** For messages of assertions. */
  readonly name: string
  key(id: string): Uint8Array
  encode(object: T): Uint8Array
  /** `bytes` is `null` where the store has none: the object as it is before its first change. */
  decode(id: string, bytes: Uint8Array | null): T
}

/** What checkpoints and eviction see of a table. */
export interface Table {
  /** Ends a generation; the puts are its changed objects as they are now, encoded when asked for. */
  freeze(): Generator<Put>
  /** The cut is complete: what did not change since may leave memory. */
  completed(): void
  /** Call between entries only: what an entry names must stay until it is applied. */
  evict(): void
}

/** Reads of one object from the store that began since it last left memory. */
interface Asked {
  readers: number
  hasLeft: boolean
}

/**
 * Mutable objects of one kind: in memory while they are dirty or were named lately, else in the store
 * only (rule K4). A cut freezes all that changed in O(1) and encodes each as it was then, before its
 * next change or when the store comes to it (rule K3). An object exists as soon as somebody names it;
 * one that never changed has no value in the store.
 */
export class ObjectTable<T extends TableObject> implements Table {
  readonly #kind: ObjectKind<T>
  readonly #store: Store
  readonly #maxCount: number
  readonly #byId = new Map<string, T>()
  #generation = 1
  /** 0 while no cut is being written. */
  #frozen = 0
  #dirty: T[] = []
  readonly #hand = new ClockHand(this.#byId)
  /** Ids that readers ask the store for. Only these are watched, as something leaves all the time. */
  readonly #asked = new Map<string, Asked>()

  constructor(kind: ObjectKind<T>, store: Store, maxCount: number) {
    this.#kind = kind
    this.#store = store
    this.#maxCount = maxCount
  }

  get size(): number {
    return this.#byId.size
  }

  /** What memory holds; for apply, whatever it needs was prefetched: see `need`. */
  get(id: string): T | undefined {
    const object = this.#byId.get(id)
    if (object !== undefined) object.used = true
    return object
  }

  /** As `get`, by somebody who looks at all: that keeps nothing in memory. */
  peek(id: string): T | undefined {
    return this.#byId.get(id)
  }

  /** For apply only: prefetch brought it in. */
  need(id: string): T {
    const object = this.get(id)
    assert(object !== undefined, `${this.#kind.name} ${id} was not prefetched`)
    return object
  }

  /** For apply only: an object that cannot be in the store, as what owns it is made just now. */
  create(id: string): T {
    assert(!this.#byId.has(id), `${this.#kind.name} ${id} is made twice`)
    const object = this.#kind.decode(id, null)
    this.#byId.set(id, object)
    return object
  }

  /** Brings objects into memory; only prefetch may, as nothing is applied while it runs. */
  async load(ids: readonly string[]): Promise<void> {
    for (const id of await this.loadExisting(ids)) if (!this.#byId.has(id)) this.create(id)
  }

  /**
   * As `load`, for objects that need not exist: those that the store does not hold are not brought
   * in, and returned.
   */
  async loadExisting(ids: readonly string[]): Promise<string[]> {
    const missing = ids.filter((id) => !this.#byId.has(id))
    const found = await this.#store.getMany(missing.map((id) => this.#kind.key(id)))
    return missing.filter((id, i) => {
      const bytes = found[i] ?? null
      if (bytes !== null && !this.#byId.has(id)) this.#byId.set(id, this.#kind.decode(id, bytes))
      return bytes === null
    })
  }

  /** For readers: the object as it is now, or a copy of it that is theirs. */
  async read(id: string): Promise<T> {
    for (;;) {
      const hot = this.get(id)
      if (hot !== undefined) return hot
      const asked = this.#asked.get(id) ?? { readers: 0, hasLeft: false }
      asked.readers += 1
      this.#asked.set(id, asked)
      let bytes: Uint8Array | null
      try {
        bytes = await this.#store.get(this.#kind.key(id))
      } finally {
        asked.readers -= 1
        if (asked.readers === 0 && !asked.hasLeft) this.#asked.delete(id)
      }
      // Were it brought in, changed, written and let go meanwhile, the bytes would be old ones.
      if (!asked.hasLeft) return this.get(id) ?? this.#kind.decode(id, bytes)
    }
  }

  /** Call before any change of the object; `true` if it was as in the last cut. */
  touch(object: T): boolean {
    if (object.dirtyGeneration === this.#generation) return false
    if (this.#awaitsEncoding(object)) object.frozen = this.#kind.encode(object)
    object.dirtyGeneration = this.#generation
    this.#dirty.push(object)
    return true
  }

  freeze(): Generator<Put> {
    assert(this.#frozen === 0, `two cuts of ${this.#kind.name} at one time`)
    this.#frozen = this.#generation
    this.#generation += 1
    const dirty = this.#dirty
    this.#dirty = []
    return this.#puts(dirty)
  }

  completed(): void {
    assert(this.#frozen !== 0, `a cut of ${this.#kind.name} ends that never began`)
    this.#frozen = 0
  }

  evict(): void {
    this.#hand.sweep(this.#isFull, this.#letGo)
  }

  readonly #isFull = (): boolean => this.#byId.size > this.#maxCount

  readonly #letGo = (object: T): void => {
    if (!this.#isClean(object)) return
    this.#byId.delete(object.id)
    object.gone = true
    this.#left(object.id)
  }

  #left(id: string): void {
    const asked = this.#asked.get(id)
    if (asked === undefined) return
    asked.hasLeft = true
    this.#asked.delete(id)
  }

  *#puts(frozen: readonly T[]): Generator<Put> {
    for (const object of frozen) {
      const value = object.frozen ?? this.#kind.encode(object)
      object.frozen = null
      object.encodedGeneration = this.#frozen
      yield { key: this.#kind.key(object.id), value }
    }
  }

  #isClean(object: T): boolean {
    return object.dirtyGeneration < (this.#frozen === 0 ? this.#generation : this.#frozen)
  }

  #awaitsEncoding(object: T): boolean {
    return (
      this.#frozen !== 0 &&
      object.dirtyGeneration === this.#frozen &&
      object.encodedGeneration !== this.#frozen
    )
  }
}
