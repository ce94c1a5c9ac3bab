import type { FileSystem } from '../ports.ts'
import { isNoRoom } from './no-room.ts'
import { writeZeros } from './segment-file.ts'

const NAME = /^reserve-(\d+)-(\d+)\.zeros$/
const UNFINISHED = /^reserve-\d+\.new$/
/** Votes, configurations and removals are small: one holds tens of thousands of them. */
const LARGEST_BYTES = 1024 * 1024
const FILES = 2

/** A file whose bytes the disk has given already. */
export interface Reserved {
  readonly path: string
  readonly bytes: number
}

/**
 * Two segments' worth of zeros beside the log (rule K9): with a full disk votes, configurations and
 * what frees space still find a place. Their content is never trusted, only their room.
 */
export class SegmentReserve {
  /** Of one file. */
  readonly bytes: number
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #files = new Map<number, Reserved>()
  /** Never used again in this life: the file of one that was taken has its name for a while. */
  #nextNumber = 1
  #keeping: Promise<void> | null = null

  constructor(fileSystem: FileSystem, directory: string, segmentBytes: number) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.bytes = Math.min(segmentBytes, LARGEST_BYTES)
  }

  /** Finds what earlier lives left; those of another size give their room back. */
  async open(): Promise<void> {
    for (const name of await this.#fileSystem.list(this.#directory)) {
      const [, number, bytes] = NAME.exec(name) ?? []
      const path = `${this.#directory}/${name}`
      if (UNFINISHED.test(name)) await this.#fileSystem.remove(path)
      if (bytes === undefined) continue
      this.#nextNumber = Math.max(this.#nextNumber, Number(number) + 1)
      if (Number(bytes) === this.bytes) {
        this.#files.set(Number(number), { path, bytes: this.bytes })
      } else await this.#fileSystem.remove(path)
    }
  }

  /** How many of the two are there. */
  get count(): number {
    return this.#files.size
  }

  /** Whoever takes one renames its file, or gives it up. */
  take(): Reserved | null {
    const [number, reserved] = [...this.#files].at(-1) ?? []
    if (number === undefined || reserved === undefined) return null
    this.#files.delete(number)
    return reserved
  }

  /** Makes those that are missing, as far as the disk has room; rejects for any other reason. */
  keep(): Promise<void> {
    this.#keeping ??= this.#fill().finally(() => (this.#keeping = null))
    return this.#keeping
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#keeping?.catch(() => undefined)
  }

  async #fill(): Promise<void> {
    while (this.#files.size < FILES) {
      const number = this.#nextNumber++
      const path = `${this.#directory}/reserve-${number}-${this.bytes}.zeros`
      if (!(await this.#make(`${this.#directory}/reserve-${number}.new`, path))) return
      this.#files.set(number, { path, bytes: this.bytes })
    }
  }

  /** False: the disk has no room for it. */
  async #make(temporary: string, path: string): Promise<boolean> {
    const file = await this.#fileSystem.open(temporary, { create: 'if-missing' })
    try {
      await writeZeros(file, 0, this.bytes)
      await file.sync()
    } catch (error) {
      if (!isNoRoom(error)) throw error
      await this.#fileSystem.remove(temporary)
      return false
    } finally {
      await file.close()
    }
    await this.#fileSystem.rename(temporary, path)
    await this.#fileSystem.syncDirectory(this.#directory)
    return true
  }
}
