import type { FileSystem } from '#cluster'
import { isNoRoom } from '#cluster'

const NAME = 'reserve'
const ZEROS = new Uint8Array(256 * 1024)
const SYNC_EVERY_BYTES = 4 * 1024 * 1024

/**
 * A file of zeros in the data directory that is given up when the disk is full, so that a start or a
 * compaction finds room (rule K9), and made again when there is plenty.
 */
export class DiskBallast {
  /** What it is short of its size. */
  missingBytes: number
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #bytes: number
  #work: Promise<void> | null = null

  private constructor(fileSystem: FileSystem, directory: string, bytes: number) {
    this.#fileSystem = fileSystem
    this.#path = `${directory}/${NAME}`
    this.#bytes = bytes
    this.missingBytes = bytes
  }

  /** Finds what is there. One of another size is removed. */
  static async open(
    fileSystem: FileSystem,
    directory: string,
    bytes: number,
  ): Promise<DiskBallast> {
    const ballast = new DiskBallast(fileSystem, directory, bytes)
    await ballast.#open()
    return ballast
  }

  get keptBytes(): number {
    return this.#bytes - this.missingBytes
  }

  /** Gives the room back; nothing is done while it is being made. */
  async release(): Promise<void> {
    if (this.#work !== null || this.keptBytes === 0) return
    await this.#fileSystem.remove(this.#path)
    this.missingBytes = this.#bytes
  }

  /** Makes it, as far as the disk has room. */
  keep(): Promise<void> {
    if (this.missingBytes === 0) return Promise.resolve()
    this.#work ??= this.#make().finally(() => (this.#work = null))
    return this.#work
  }

  async close(): Promise<void> {
    await this.#work?.catch(() => undefined)
  }

  async #open(): Promise<void> {
    if (!(await this.#fileSystem.exists(this.#path))) return
    const file = await this.#fileSystem.open(this.#path, { create: 'never' })
    const size = await file.size()
    await file.close()
    if (size === this.#bytes && size > 0) this.missingBytes = 0
    else await this.#fileSystem.remove(this.#path)
  }

  /** Durable or not is the same: it is measured anew at every start. */
  async #make(): Promise<void> {
    const file = await this.#fileSystem.open(this.#path, { create: 'if-missing' })
    try {
      for (let at = 0; at < this.#bytes; at += ZEROS.length) {
        await file.write(ZEROS.subarray(0, Math.min(ZEROS.length, this.#bytes - at)), at)
        if ((at + ZEROS.length) % SYNC_EVERY_BYTES === 0) await file.sync()
      }
      await file.sync()
      this.missingBytes = 0
    } catch (error) {
      await this.#fileSystem.remove(this.#path)
      if (!isNoRoom(error)) throw error
    } finally {
      await file.close()
    }
  }
}
