import fs from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { DiskSpace, File, FileSystem } from '#cluster'
import { lockDirectory } from './directory-lock.ts'
import { FileError } from './file-error.ts'
import { NodeFile } from './node-file.ts'
import { SyncPace } from './sync-pace.ts'

const FLAGS = { new: 'wx+', never: 'r+' } as const

/** The files of this machine. Every error is a `FileError` that names the path and what to do. */
export class NodeFileSystem implements FileSystem {
  readonly #makePace: () => SyncPace

  /** `makePace` decides for each file where its syncs run. */
  constructor(options: { makePace?: () => SyncPace } = {}) {
    this.#makePace = options.makePace ?? (() => new SyncPace())
  }

  /**
   * The names of new directories are durable when it resolves. They are their owner's alone: messages
   * lie in them, and the database sets no rights of its own.
   */
  async makeDirectory(path: string): Promise<void> {
    const first = await attempt('make', path, () =>
      fs.mkdir(path, { recursive: true, mode: 0o700 }),
    )
    if (first === undefined) return
    const top = dirname(resolve(first))
    for (let parent = dirname(resolve(path)); ; parent = dirname(parent)) {
      await this.syncDirectory(parent)
      if (parent === top || parent === dirname(parent)) return
    }
  }

  async list(path: string): Promise<string[]> {
    const names = await attempt('list', path, () => fs.readdir(path).catch(emptyIfAbsent))
    return names.sort()
  }

  async exists(path: string): Promise<boolean> {
    return attempt('look for', path, () =>
      fs.stat(path).then(
        () => true,
        (error: unknown) => (isAbsent(error) ? false : Promise.reject(error)),
      ),
    )
  }

  async open(path: string, options: { create: 'new' | 'if-missing' | 'never' }): Promise<File> {
    const { create } = options
    if (create !== 'if-missing') return this.#open(path, FLAGS[create])
    // No flag of Node makes a file without also truncating it or moving every write to its end.
    for (;;) {
      try {
        return await this.#open(path, FLAGS.never)
      } catch (error) {
        if (!isAbsent(error)) throw error
      }
      try {
        return await this.#open(path, FLAGS.new)
      } catch (error) {
        if ((error as FileError).code !== 'EEXIST') throw error
      }
    }
  }

  async readFile(path: string): Promise<Uint8Array> {
    return attempt('read', path, () => fs.readFile(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await attempt('rename', from, () => fs.rename(from, to))
  }

  async remove(path: string): Promise<void> {
    await attempt('remove', path, () => fs.unlink(path))
  }

  async removeDirectory(path: string): Promise<void> {
    await attempt('remove', path, () => fs.rmdir(path))
  }

  async syncDirectory(path: string): Promise<void> {
    await attempt('sync the directory', path, async () => {
      const handle = await fs.open(path, 'r')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    })
  }

  async space(path: string): Promise<DiskSpace> {
    const ask = () => fs.statfs(path)
    const { bavail, blocks, bsize } = await attempt('ask the free space of', path, ask)
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
  }

  async lock(path: string): Promise<() => Promise<void>> {
    return lockDirectory(path)
  }

  async #open(path: string, flags: string): Promise<File> {
    return attempt(
      'open',
      path,
      async () => new NodeFile(path, await fs.open(path, flags, 0o600), this.#makePace()),
    )
  }
}

async function attempt<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw new FileError(operation, path, cause)
  }
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ENOENT'
}

function emptyIfAbsent(error: unknown): string[] {
  if (isAbsent(error)) return []
  throw error
}
