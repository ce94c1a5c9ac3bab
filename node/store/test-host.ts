/** Ports for this folder's tests: the real disk in a temporary folder, the real clock. */
import fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, File, FileSystem } from '#cluster'

export const testClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (run) => void setImmediate(run),
}

const flags = { new: 'wx+', never: 'r+' }

async function openFile(path: string, create: 'new' | 'if-missing' | 'never'): Promise<File> {
  const handle =
    create === 'if-missing'
      ? await fs.open(path, 'r+').catch(() => fs.open(path, 'w+'))
      : await fs.open(path, flags[create])
  return {
    size: async () => (await handle.stat()).size,
    read: async (buffer, position) =>
      (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
    readSync: () => {
      throw new Error('not used by the store')
    },
    write: async (buffer, position) =>
      void (await handle.write(buffer, 0, buffer.length, position)),
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    writeAndSync: (buffer, position, done) => {
      handle
        .write(buffer, 0, buffer.length, position)
        .then(() => handle.datasync())
        .then(() => done(null), done)
    },
    close: () => handle.close(),
  }
}

export const testFileSystem: FileSystem = {
  makeDirectory: async (path) => void (await fs.mkdir(path, { recursive: true })),
  list: async (path) => (await fs.readdir(path).catch(() => [])).sort(),
  exists: (path) =>
    fs.access(path).then(
      () => true,
      () => false,
    ),
  open: (path, { create }) => openFile(path, create),
  readFile: (path) => fs.readFile(path),
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.unlink(path),
  removeDirectory: (path) => fs.rmdir(path),
  syncDirectory: async (path) => {
    const handle = await fs.open(path, 'r')
    await handle.sync()
    await handle.close()
  },
  freeBytes: async () => 1e12,
  lock: async () => async () => undefined,
}

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await fs.mkdtemp(join(tmpdir(), 'parley-store-'))
  return { path, remove: () => fs.rm(path, { recursive: true, force: true }) }
}
