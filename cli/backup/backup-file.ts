import { createReadStream } from 'node:fs'
import fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { CliError, ExitCode } from '../exit-codes.ts'

const READ_BYTES = 1024 * 1024

/** The file from its beginning, in large pieces. */
export const readPieces = (path: string) => (): AsyncIterable<Uint8Array> =>
  createReadStream(path, { highWaterMark: READ_BYTES })

/**
 * A file that gets its name when it is whole: until then it is `<path>.partial`, which stays where it
 * was cut off, and is no backup.
 */
export class PartialFile {
  readonly #path: string
  readonly #handle: fs.FileHandle
  #bytes = 0

  private constructor(path: string, handle: fs.FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  static async create(path: string): Promise<PartialFile> {
    const isThere = await fs.access(path).then(
      () => true,
      () => false,
    )
    if (isThere) {
      const why = `${path} is there already: a backup is never overwritten, name another file`
      throw new CliError(ExitCode.refused, why)
    }
    return new PartialFile(path, await fs.open(`${path}.partial`, 'w', 0o600))
  }

  get bytes(): number {
    return this.#bytes
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#handle.writeFile(bytes)
    } catch (error) {
      throw this.#advised(error)
    }
    this.#bytes += bytes.length
  }

  /** Durable under its own name when it resolves. */
  async finish(): Promise<void> {
    try {
      await this.#handle.sync()
    } catch (error) {
      throw this.#advised(error)
    }
    await this.#handle.close()
    await fs.rename(`${this.#path}.partial`, this.#path)
    const directory = await fs.open(dirname(this.#path), 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  /** Leaves what there is. */
  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  #advised(cause: unknown): unknown {
    const { code = '' } = cause as NodeJS.ErrnoException
    if (!['ENOSPC', 'EDQUOT'].includes(code)) return cause
    return new CliError(
      ExitCode.failed,
      `the disk of ${this.#path} is full after ${this.#bytes} bytes: make room there, or name a file on another disk with --to. ${this.#path}.partial is no backup and may be deleted`,
      { cause },
    )
  }
}
