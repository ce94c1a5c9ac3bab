import { type FileSystem, integer, type Logger, object, readJson } from '#cluster'
import { writeDurableFile } from '../durable-file.ts'

/** The newest backup that was read whole and found good, as far as this node was told. */
export interface VerifiedBackup {
  readonly index: number
  /** Wall time in ms: it holds whatever was acknowledged before. */
  readonly takenAtMs: number
}

const NAME = 'backup.json'
const FORMAT = 1
const NONE: VerifiedBackup = { index: 0, takenAtMs: 0 }

const RECORD = object<VerifiedBackup & { format: number }>({
  format: integer(FORMAT, FORMAT),
  index: integer(),
  takenAtMs: integer(),
})

/**
 * Remembers across restarts what the alert on stale backups asks for. Of this node alone: monitoring
 * takes the newest that any node knows of.
 */
export class VerifiedBackups {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #logger: Logger
  #known: Promise<VerifiedBackup> | null = null

  constructor(fileSystem: FileSystem, directory: string, logger: Logger) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#logger = logger
  }

  /** Zeros before the first. */
  newest(): Promise<VerifiedBackup> {
    this.#known ??= this.#read()
    return this.#known
  }

  /** Durable when it resolves; an older one than is known changes nothing. */
  verified(backup: VerifiedBackup): Promise<VerifiedBackup> {
    const known = this.newest().then(async (before) => {
      if (backup.takenAtMs <= before.takenAtMs) return before
      await writeDurableFile(this.#fileSystem, this.#directory, NAME, { format: FORMAT, ...backup })
      return backup
    })
    this.#known = known.catch(() => this.#read())
    return known
  }

  /** What cannot be read is no reason to stop: at worst the alert asks for another backup. */
  async #read(): Promise<VerifiedBackup> {
    const path = `${this.#directory}/${NAME}`
    try {
      if (!(await this.#fileSystem.exists(path))) return NONE
      const bytes = await this.#fileSystem.readFile(path)
      const { index, takenAtMs } = readJson(bytes, RECORD, (why) => new Error(why))
      return { index, takenAtMs }
    } catch (error) {
      this.#logger.warn('backup.recordUnreadable', { path, error })
      return NONE
    }
  }
}
