import { crc32c } from '@node-rs/crc32'
import type { FileSystem } from '#cluster'
import { StoreDamagedError } from './store.ts'
import { storeFormat } from './value-codec.ts'

const fileName = 'current'
const prefix = `parley store ${storeFormat}`

/** The file `current`: names the directory that holds the store in force (rule K6). */
export class StorePointer {
  readonly #fileSystem: FileSystem
  readonly #directory: string

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
  }

  /** `null` if there is none. Throws `StoreDamagedError` if it cannot be read as one. */
  async read(): Promise<string | null> {
    const path = `${this.#directory}/${fileName}`
    if (!(await this.#fileSystem.exists(path))) return null
    const text = Buffer.from(await this.#fileSystem.readFile(path)).toString('latin1')
    const name = /^parley store \d+ (store-\d+) [0-9a-f]{8}\n$/.exec(text)?.[1]
    if (name === undefined || text !== encode(name)) {
      throw new StoreDamagedError(`${path} does not name a store: it must be discarded`)
    }
    return name
  }

  /** Durable when it resolves; a crash leaves the old name or the new one. */
  async write(name: string): Promise<void> {
    const path = `${this.#directory}/${fileName}`
    const temporary = `${path}.new`
    const file = await this.#fileSystem.open(temporary, { create: 'if-missing' })
    try {
      await file.truncate(0)
      await file.write(Buffer.from(encode(name), 'latin1'), 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.#fileSystem.rename(temporary, path)
    await this.#fileSystem.syncDirectory(this.#directory)
  }
}

function encode(name: string): string {
  const text = `${prefix} ${name}`
  return `${text} ${crc32c(text).toString(16).padStart(8, '0')}\n`
}
