import {
  DatabaseError,
  type DatabaseSnapshot,
  type KeyRange,
  type KeyValueDatabase,
  type KeyValueDatabaseFactory,
  type KeyValueIterator,
  type VerifyOptions,
  type WriteBatch,
} from '../../node/store/key-value-database.ts'
import { OrderedBytes, takePairs } from '../../node/store/ordered-bytes.ts'
import type { Prng } from '../prng.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'
import { afterWork } from './slow-operation.ts'

type Operation = readonly [key: Uint8Array, value: Uint8Array | null]

export interface DatabaseLatency {
  readonly readMs: number
  readonly writeMs: number
}

/** What one machine has stored under one path. */
interface Stored {
  pairs: OrderedBytes
  /** Given to `write` and not yet reported: a crash decides. */
  inFlight: (readonly Operation[])[]
  /** Undoes the newest batch. */
  undoNewest: readonly Operation[] | null
  holder: SimProcess | null
  /** What the database's own checksums would find, whoever reads all of it. */
  damage: string | null
}

/**
 * The databases of one machine. Kept to what the port promises and no more: a batch under way when
 * the process ends is there or not, and rot changes or hides anything without an error.
 */
export class SimDatabases {
  readonly #scheduler: SimScheduler
  readonly #prng: Prng
  readonly #latency: DatabaseLatency
  readonly #stored = new Map<string, Stored>()
  /** Everything takes this many times as long. */
  slowness = 1
  /** Writes are refused for want of space. */
  isFull = false
  /** Share of reads that fail; what is stored stays as it is. */
  readErrorShare = 0
  /** Faults that were really met. */
  errors = 0

  constructor(scheduler: SimScheduler, prng: Prng, latency: DatabaseLatency) {
    this.#scheduler = scheduler
    this.#prng = prng
    this.#latency = latency
  }

  /** They work again; what is lost stays lost. */
  heal(): void {
    this.slowness = 1
    this.isFull = false
    this.readErrorShare = 0
  }

  portOf(process: SimProcess): KeyValueDatabaseFactory {
    return {
      open: (path, { create }) =>
        this.#later(process, this.#latency.readMs, () => this.#open(process, path, create)),
      verify: (path, options) => this.#verify(process, path, options),
      remove: (path) =>
        this.#later(process, this.#latency.writeMs, () => void this.#stored.delete(path)),
    }
  }

  /** The process is gone; what it was writing was written whole or not at all. */
  crash(process: SimProcess): void {
    for (const stored of this.#stored.values()) {
      if (stored.holder !== process) continue
      stored.holder = null
      // Weaker than a database with one log: each is there or not by itself.
      for (const batch of stored.inFlight) if (this.#prng.chance(0.5)) apply(stored, batch)
      stored.inFlight = []
    }
  }

  /** Those whose directory a power cut took away are gone with it. */
  keepOnly(survives: (path: string) => boolean): void {
    for (const path of [...this.#stored.keys()]) if (!survives(path)) this.#stored.delete(path)
  }

  /** A directory that databases stand in got another name. */
  move(from: string, to: string): void {
    for (const [path, stored] of [...this.#stored]) {
      if (!path.startsWith(from)) continue
      this.#stored.delete(path)
      this.#stored.set(to + path.slice(from.length), stored)
    }
  }

  wipe(): void {
    this.#stored.clear()
  }

  /** Silent damage of one pair, or of the newest batch; `null` if there is nothing to damage. */
  rot(): string | null {
    const databases = [...this.#stored].filter(([, { pairs }]) => pairs.size > 0)
    if (databases.length === 0) return null
    const [path, stored] = this.#prng.pick(databases)
    if (stored.undoNewest !== null && this.#prng.chance(0.2)) {
      apply(stored, stored.undoNewest)
      stored.undoNewest = null
      return `${path}: the newest batch is gone`
    }
    const keys = [...stored.pairs.walk(new Uint8Array(0), highestKey, false)]
    if (this.#prng.chance(0.2)) return `${path}: ${this.#loseTable(stored, keys)}`
    const { key, value } = this.#prng.pick(keys)
    if (this.#prng.chance(0.2)) {
      const other = this.#prng.pick(keys)
      apply(stored, [
        [key, other.value.slice()],
        [other.key, value.slice()],
      ])
      stored.damage = 'two values stand under each other’s key'
      return `${path}: ${stored.damage}`
    }
    if (value.length === 0 || this.#prng.chance(0.3)) {
      apply(stored, [[key, null]])
      stored.damage = 'a key is gone'
      return `${path}: a key is gone`
    }
    const damaged = value.slice()
    const bit = this.#prng.below(value.length * 8)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    apply(stored, [[key, damaged]])
    stored.undoNewest = null
    stored.damage = 'a bit flipped'
    return `${path}: a bit of a value flipped`
  }

  /** All keys from one to another, as one file of a database holds them. */
  #loseTable(stored: Stored, pairs: readonly { readonly key: Uint8Array }[]): string {
    const from = this.#prng.below(pairs.length)
    const lost = pairs.slice(from, from + 1 + this.#prng.below(pairs.length - from))
    apply(
      stored,
      lost.map(({ key }) => [key, null]),
    )
    stored.undoNewest = null
    stored.damage = 'a table is gone'
    return `a table of ${lost.length} keys is gone`
  }

  /** What all of them hold now, to be put back later. */
  image(): () => void {
    const all = [...this.#stored].map(([path, { pairs, damage }]) => {
      return { path, pairs: pairs.share(), damage }
    })
    return () => {
      this.#stored.clear()
      for (const { path, pairs, damage } of all) {
        const held = { pairs: pairs.share(), damage, inFlight: [], holder: null }
        this.#stored.set(path, { ...EMPTY, ...held })
      }
    }
  }

  #open(process: SimProcess, path: string, create: boolean): KeyValueDatabase {
    const old = this.#stored.get(path)
    if (old?.holder?.isAlive === true) throw new DatabaseError('locked', `${path} is open already`)
    if (create && old !== undefined) throw new DatabaseError('io', `${path} exists`)
    if (!create && old === undefined) throw new DatabaseError('corrupt', `${path} does not exist`)
    const stored = old ?? {
      ...EMPTY,
      pairs: new OrderedBytes(),
      inFlight: [],
      holder: process,
    }
    stored.holder = process
    this.#stored.set(path, stored)
    return new SimDatabase(stored, {
      read: (run) =>
        this.#later(process, this.#latency.readMs, () => {
          if (this.#prng.chance(this.readErrorShare)) throw this.#failure('a read failed')
          return run()
        }),
      write: (run) =>
        this.#later(process, this.#latency.writeMs, () => {
          if (this.isFull) throw this.#failure('no space left on the volume')
          return run()
        }),
      takesStep: () => process.takesStep(),
    })
  }

  #failure(message: string): DatabaseError {
    this.errors += 1
    return new DatabaseError('io', message)
  }

  async #verify(process: SimProcess, path: string, options: VerifyOptions = {}): Promise<number> {
    await this.#later(process, this.#latency.readMs, () => {})
    await options.pace?.()
    const stored = this.#stored.get(path)
    if (stored === undefined || stored.pairs.bytes > (options.limitBytes ?? Infinity)) return 0
    if (stored.damage !== null) throw new DatabaseError('corrupt', `${path}: ${stored.damage}`)
    return stored.pairs.bytes
  }

  #later<T>(process: SimProcess, upToMs: number, run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!process.isAlive) return
      const parts = { scheduler: this.#scheduler, process, slowness: () => this.slowness }
      afterWork(parts, this.#prng.float() * upToMs, () => {
        try {
          resolve(run())
        } catch (error) {
          reject(error as Error)
        }
      })
    })
  }
}

const EMPTY = { undoNewest: null, damage: null }

const highestKey = new Uint8Array(1100).fill(255)

interface Latency {
  read<T>(run: () => T): Promise<T>
  write<T>(run: () => T): Promise<T>
  /** `false`: the process is dead, and writes nothing any more. */
  takesStep(): boolean
}

class SimDatabase implements KeyValueDatabase {
  readonly #stored: Stored
  readonly #latency: Latency
  #isClosed = false

  constructor(stored: Stored, latency: Latency) {
    this.#stored = stored
    this.#latency = latency
  }

  get(key: Uint8Array): Promise<Uint8Array | null> {
    const wanted = key.slice()
    return this.#latency.read(() => this.#value(wanted))
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
    const wanted = keys.map((key) => key.slice())
    return this.#latency.read(() => wanted.map((key) => this.#value(key)))
  }

  iterate(range: KeyRange): KeyValueIterator {
    this.#assertOpen()
    const pairs =
      range.snapshot instanceof SimSnapshot ? range.snapshot.pairs : this.#stored.pairs.share()
    const walk = pairs.walk(range.from, range.to, range.reverse ?? false)
    return {
      next: (count) =>
        this.#latency.read(() => {
          this.#assertOpen()
          return takePairs(walk, count)
        }),
      close: () => Promise.resolve(),
    }
  }

  batch(): WriteBatch {
    this.#assertOpen()
    const batch: Operation[] = []
    return {
      put: (key, value) => void batch.push([key.slice(), value.slice()]),
      delete: (key) => void batch.push([key.slice(), null]),
      write: () => this.#write(batch),
      abandon: () => Promise.resolve(),
    }
  }

  snapshot(): DatabaseSnapshot {
    this.#assertOpen()
    return new SimSnapshot(this.#stored.pairs.share())
  }

  async size(): Promise<number> {
    this.#assertOpen()
    return this.#stored.pairs.bytes
  }

  async compact(): Promise<void> {
    await this.#latency.read(() => this.#assertOpen())
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.#latency.read(() => {}).catch(() => {})
    this.#isClosed = true
    this.#stored.holder = null
  }

  #write(batch: readonly Operation[]): Promise<void> {
    const stored = this.#stored
    if (!this.#latency.takesStep()) return new Promise(() => {})
    stored.inFlight.push(batch)
    return this.#latency.write(() => {
      this.#assertOpen()
      const at = stored.inFlight.indexOf(batch)
      stored.inFlight.splice(at, 1)
      apply(stored, batch)
    })
  }

  #value(key: Uint8Array): Uint8Array | null {
    this.#assertOpen()
    return this.#stored.pairs.get(key)?.slice() ?? null
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new DatabaseError('closed', 'the database is closed')
  }
}

class SimSnapshot implements DatabaseSnapshot {
  readonly pairs: OrderedBytes

  constructor(pairs: OrderedBytes) {
    this.pairs = pairs
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function apply(stored: Stored, batch: readonly Operation[]): void {
  stored.pairs = stored.pairs.owned()
  const undo: Operation[] = []
  for (const [key, value] of batch) {
    undo.push([key, stored.pairs.get(key) ?? null])
    if (value === null) stored.pairs.delete(key)
    else stored.pairs.set(key, value)
  }
  stored.undoNewest = undo.toReversed()
}
