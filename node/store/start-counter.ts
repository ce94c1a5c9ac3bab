import type { Clock, FileSystem, Timer } from '#cluster'

/** A life longer than this was no failed start. */
const longLifeMs = 10 * 60 * 1000

/**
 * Counts starts of a store that were followed neither by an orderly close nor by a long life, in a
 * small file. It is never synced: it is about processes that end, not about power.
 */
export class StartCounter {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #path: string
  #timer: Timer | null = null

  constructor(fileSystem: FileSystem, clock: Clock, path: string) {
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#path = path
  }

  /** How many there were, this one included. */
  async begin(): Promise<number> {
    const starts = (await this.#read()) + 1
    await this.#write(starts)
    const settle = (): void => {
      // Failing to forget costs one verification at the next start, no more.
      void this.settle().catch(() => undefined)
    }
    this.#timer = this.#clock.after(longLifeMs, settle)
    return starts
  }

  /** All went well: the count starts anew. */
  async settle(): Promise<void> {
    this.abandon()
    await this.#write(0)
  }

  /** The store did not open: this start stays counted. */
  abandon(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  async #read(): Promise<number> {
    if (!(await this.#fileSystem.exists(this.#path))) return 0
    const text = Buffer.from(await this.#fileSystem.readFile(this.#path)).toString('latin1')
    return /^\d{1,9}$/.test(text) ? Number(text) : 0
  }

  async #write(starts: number): Promise<void> {
    const file = await this.#fileSystem.open(this.#path, { create: 'if-missing' })
    try {
      await file.truncate(0)
      await file.write(Buffer.from(String(starts), 'latin1'), 0)
    } finally {
      await file.close()
    }
  }
}
