import { CrashFileSystem } from '../../../cluster/log/testing/crash-file-system.ts'
import { ManualClock } from '../../../node/state-machine/testing.ts'
import { MemoryDatabaseFactory } from '../../../node/store/memory-database.ts'
import { openStoreDirectory } from '../../../node/store/store-directory.ts'
import { type Store, StoreDamagedError, type StoreDirectory } from '../../../node/store/store.ts'
import type { Prng } from '../../prng.ts'
import { applyScript, type Editable, makeScript } from '../edit-script.ts'
import { type Target, violated } from '../target.ts'
import { storedPairs } from './store-values.ts'

const DIRECTORY = '/data/store'
const CUTS = 4

interface StoredValue extends Editable {
  readonly key: Uint8Array
  readonly sound: Buffer
}

/**
 * A store whose values or own files were changed on disk. What it gives is what was written, or it
 * says that it is damaged. A value that is gone altogether is the state machine's to miss.
 */
export class StoreDamage implements Target {
  readonly allowedBytes = 16 << 20
  readonly #disk: CrashFileSystem
  readonly #path: string
  readonly #pairs: readonly (readonly [Uint8Array, Buffer])[]
  /** What the state machine was given to store. */
  readonly #written: ReadonlyMap<string, Buffer>

  private constructor(
    disk: CrashFileSystem,
    path: string,
    pairs: readonly (readonly [Uint8Array, Buffer])[],
    written: ReadonlyMap<string, Buffer>,
  ) {
    this.#disk = disk
    this.#path = path
    this.#pairs = pairs
    this.#written = written
  }

  static async open(): Promise<StoreDamage> {
    const disk = new ListingFileSystem()
    const databases = new MemoryDatabaseFactory()
    const directory = await openAt(disk, databases)
    const pairs = (await storedPairs()).slice(0, 40)
    const written = new Map<string, Buffer>()
    const keep = ({ key, value }: { key: Uint8Array; value: Uint8Array }) => {
      written.set(hexOf(key), Buffer.from(value))
      return { key, value }
    }
    for (let cut = 1; cut <= CUTS; cut++) {
      const ahead = pairs.filter((_, at) => at % CUTS === cut - 1).map(keep)
      const objects = [keep({ key: Buffer.from('q'), value: Buffer.from(`as of ${cut}`) })]
      await directory.store!.checkpoint({ index: cut * 10, term: 1, ahead, objects })
    }
    await directory.close()
    const [[path, batches]] = [...databases.batches] as [
      [string, typeof databases.batches extends Map<string, infer B> ? B : never],
    ]
    const live = new Map<string, readonly [Uint8Array, Buffer]>()
    for (const [key, value] of batches.flat()) {
      if (value === null) live.delete(hexOf(key))
      else live.set(hexOf(key), [key, Buffer.from(value)])
    }
    return new StoreDamage(disk.clone(), path, [...live.values()], written)
  }

  make(random: Prng): Uint8Array {
    return makeScript(random)
  }

  async judge(script: Uint8Array): Promise<string | null> {
    const values = this.#pairs.map(([key, sound]): StoredValue => {
      return { key, sound, bytes: Buffer.from(sound), marks: [] }
    })
    const files = this.#disk.paths.map((path): Editable & { path: string } => {
      return { path, bytes: Buffer.from(this.#disk.bytesOf(path)), marks: [0, 4096] }
    })
    // The store's own records and files are few: let them be hit as often as all the values.
    const own = values.filter(({ key }) => key[0] === 0)
    applyScript(script, [...values, ...files, ...own, ...files, ...own, ...files])
    const disk = new ListingFileSystem()
    for (const { path, bytes } of files) if (bytes !== null) disk.overwrite(path, bytes)
    const databases = new MemoryDatabaseFactory()
    databases.batches.set(this.#path, [
      values.flatMap(({ key, bytes }) => (bytes === null ? [] : [[key, bytes] as const])),
    ])
    const directory = await openAt(disk, databases)
    if (directory.damaged !== null) return directory.damaged.message
    const { store } = directory
    if (store?.cut?.index !== CUTS * 10) violated(`it opens as of ${store?.cut?.index}`)
    const refusal = await this.#read(store, values)
    await directory.close()
    return refusal
  }

  async #read(store: Store, values: readonly StoredValue[]): Promise<string | null> {
    let refusal: string | null = null
    for (const [hex, written] of this.#written) {
      try {
        const read = await store.get(Buffer.from(hex, 'hex'))
        if (read !== null) {
          if (Buffer.compare(read, written) !== 0)
            violated('another value is read than was written')
        } else if (values.some(({ key, bytes }) => hexOf(key) === hex && bytes !== null)) {
          violated('a value that stands there is not found')
        }
      } catch (error) {
        if (!(error instanceof StoreDamagedError)) throw error
        refusal ??= error.message
      }
    }
    return refusal
  }
}

/** A log has no directories in its own; a store has. */
class ListingFileSystem extends CrashFileSystem {
  override async list(path: string): Promise<string[]> {
    const inside = this.paths.filter((name) => name.startsWith(`${path}/`))
    return [...new Set(inside.map((name) => name.slice(path.length + 1).split('/')[0]!))]
  }
}

const hexOf = (key: Uint8Array): string => Buffer.from(key).toString('hex')

function openAt(disk: CrashFileSystem, databases: MemoryDatabaseFactory): Promise<StoreDirectory> {
  const clock = new ManualClock()
  return openStoreDirectory({ fileSystem: disk, clock, databases, directory: DIRECTORY })
}
