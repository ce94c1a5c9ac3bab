import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { assert, type File } from '#cluster'
import { FileError } from './file-error.ts'
import { SyncPace } from './sync-pace.ts'

/** An open file. Writes and reads go on after a short count or an interrupt until all is done. */
export class NodeFile implements File {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #pace: SyncPace
  #syncing = false

  constructor(path: string, handle: FileHandle, pace = new SyncPace()) {
    this.#path = path
    this.#handle = handle
    this.#pace = pace
  }

  async size(): Promise<number> {
    return this.#try('read the size of', async () => (await this.#handle.stat()).size)
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#try('read', async () => {
      let done = 0
      while (done < buffer.length) {
        const left = buffer.length - done
        const { bytesRead } = await this.#handle.read(buffer, done, left, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    })
  }

  readSync(buffer: Uint8Array, position: number): number {
    try {
      let done = 0
      while (done < buffer.length) {
        const at = position + done
        const read = uninterrupted(() =>
          fs.readSync(this.#handle.fd, buffer, done, buffer.length - done, at),
        )
        if (read === 0) break
        done += read
      }
      return done
    } catch (cause) {
      throw new FileError('read', this.#path, cause)
    }
  }

  async write(buffer: Uint8Array, position: number): Promise<void> {
    await this.#try('write', () => this.#writeAll(buffer, position))
  }

  async truncate(length: number): Promise<void> {
    await this.#try('truncate', () => this.#handle.truncate(length))
  }

  async sync(): Promise<void> {
    await this.#try('sync', () => this.#handle.datasync())
  }

  writeAndSync(buffer: Uint8Array, position: number, report: (error: Error | null) => void): void {
    assert(!this.#syncing, `two writes to ${this.#path} at one time`)
    if (this.#pace.inPool) {
      this.#syncing = true
      this.#writeAndSyncInPool(buffer, position).then(
        () => {
          this.#syncing = false
          this.#pace.pooled()
          complete(report, null)
        },
        (error: Error) => complete(report, error),
      )
      return
    }
    const start = performance.now()
    let error: Error | null = null
    try {
      this.#writeAllSync(buffer, position)
      fs.fdatasyncSync(this.#handle.fd)
      this.#pace.took(performance.now() - start)
    } catch (cause) {
      error = new FileError('write and sync', this.#path, cause)
    }
    report(error)
  }

  async close(): Promise<void> {
    await this.#try('close', () => this.#handle.close())
  }

  async #writeAndSyncInPool(buffer: Uint8Array, position: number): Promise<void> {
    await this.#try('write and sync', async () => {
      await this.#writeAll(buffer, position)
      await this.#handle.datasync()
    })
  }

  async #writeAll(buffer: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < buffer.length;) {
      const left = buffer.length - done
      const { bytesWritten } = await this.#handle.write(buffer, done, left, position + done)
      done += bytesWritten
    }
  }

  #writeAllSync(buffer: Uint8Array, position: number): void {
    for (let done = 0; done < buffer.length;) {
      const at = done
      done += uninterrupted(() =>
        fs.writeSync(this.#handle.fd, buffer, at, buffer.length - at, position + at),
      )
    }
  }

  async #try<T>(operation: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      throw new FileError(operation, this.#path, cause)
    }
  }
}

/** What `report` throws is no failed write: it must end the process like any other exception. */
function complete(report: (error: Error | null) => void, error: Error | null): void {
  process.nextTick(report, error)
}

/** A signal may interrupt a call before it did anything; only then is it made again. */
function uninterrupted<T>(call: () => T): T {
  for (;;) {
    try {
      return call()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINTR') throw error
    }
  }
}
