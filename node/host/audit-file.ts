import { type FileHandle, open } from 'node:fs/promises'
import type { AuditSink } from '../audit/audit-sink.ts'
import { StartError } from '../data-directory.ts'

/** The audit log as a file, readable to its owner alone; whoever rotates it moves it away and reloads. */
export class AuditFile implements AuditSink {
  readonly #path: string
  #file: FileHandle

  /** @throws StartError if the file cannot be written */
  static async open(path: string): Promise<AuditFile> {
    try {
      return new AuditFile(path, await openAppending(path))
    } catch (error) {
      throw new StartError(`cannot write the audit log ${path}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  async write(line: string): Promise<void> {
    const file = this.#file
    // One write: lines of calls that end at the same time stay whole.
    await file.appendFile(`${line}\n`)
    await file.datasync()
  }

  async reopen(): Promise<void> {
    const before = this.#file
    this.#file = await openAppending(this.#path)
    // What is being written there still gets to its end first.
    await before.close()
  }
}

const openAppending = (path: string): Promise<FileHandle> => open(path, 'a', 0o600)
