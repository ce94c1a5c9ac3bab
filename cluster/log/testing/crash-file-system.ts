import { assert } from '../../assert.ts'
import type { DiskSpace, File, FileSystem } from '../../ports.ts'
import { SeededRandom } from '../../testing/seeded-random.ts'

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number }

type NameChange =
  | { readonly kind: 'set'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }

const SECTOR_BYTES = 512

/** What the disk surely has, what is seen before a crash, and the changes between the two. */
class Inode {
  durable: Buffer
  seen: Buffer
  changes: Change[] = []

  constructor(bytes: Buffer) {
    this.durable = bytes
    this.seen = bytes
  }

  change(change: Change): void {
    this.changes.push(change)
    this.seen = applied(this.seen, change)
  }

  /** Only what is known to be unsynced is written: pages that were lost stay lost. */
  sync(): void {
    for (const change of this.changes) this.durable = applied(this.durable, change)
    this.changes = []
  }
}

/**
 * A disk in memory that forgets what was not synced. One operation, counted from the first, can be
 * made to fail (`EIO`) or to be the last one that the process does. `crash` gives the disk as the
 * next process finds it: each unsynced write is there whole, in part, or not at all.
 */
export class CrashFileSystem implements FileSystem {
  readonly #names = new Map<string, Inode>()
  readonly #durableNames = new Map<string, Inode>()
  readonly #directories = new Set<string>()
  #nameChanges: NameChange[] = []
  #locked = new Set<string>()
  #at = Infinity
  #mode: 'fail' | 'stop' = 'fail'
  #stop: () => void = () => undefined
  operations = 0
  stopped = false
  /** Of all files together: what would make them longer fails with `ENOSPC`. */
  capacityBytes = Infinity
  /** Called back later instead of at once, as from a thread pool. */
  deferred = false
  /** Settles when the process did its last operation. */
  readonly ended: Promise<void> = new Promise((resolve) => (this.#stop = resolve))

  /** The operation after `operation - 1` others, counted since the disk was made. */
  faultAt(operation: number, mode: 'fail' | 'stop'): void {
    this.#at = operation
    this.#mode = mode
  }

  /** The disk after a power cut now. */
  crash(seed: number): CrashFileSystem {
    const random = new SeededRandom(seed)
    const names = new Map(this.#durableNames)
    for (const change of this.#nameChanges) if (random.below(2) === 0) applyName(names, change)
    return this.#copy(names, (inode) => {
      let bytes = inode.durable
      for (const change of inode.changes) bytes = survived(bytes, change, random)
      return bytes
    })
  }

  /**
   * The disk as the next process finds it when only this one was killed: all that was written is
   * seen, durable or not. With `lost`, the system gave up writing the rest and marked it clean.
   */
  killed(options: { lost: boolean }): CrashFileSystem {
    const next = new CrashFileSystem()
    for (const [path, inode] of this.#names) next.#names.set(path, inode)
    for (const [path, inode] of this.#durableNames) next.#durableNames.set(path, inode)
    for (const directory of this.#directories) next.#directories.add(directory)
    next.#nameChanges = [...this.#nameChanges]
    if (options.lost) for (const inode of this.#names.values()) inode.changes = []
    return next
  }

  /** The disk as the process sees it now, all of it durable. */
  clone(): CrashFileSystem {
    return this.#copy(this.#names, (inode) => inode.seen)
  }

  get paths(): string[] {
    return [...this.#names.keys()].sort()
  }

  bytesOf(path: string): Buffer {
    return this.#inode(path).seen
  }

  /** Puts bytes where no program would: durable at once. */
  overwrite(path: string, bytes: Buffer): void {
    const inode = new Inode(Buffer.from(bytes))
    this.#names.set(path, inode)
    this.#durableNames.set(path, inode)
  }

  erase(path: string): void {
    this.#names.delete(path)
    this.#durableNames.delete(path)
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#step()
    this.#directories.add(path)
  }

  async list(path: string): Promise<string[]> {
    await this.#step()
    const inside = this.paths.filter((name) => directoryOf(name) === path)
    return inside.map((name) => name.slice(path.length + 1))
  }

  async exists(path: string): Promise<boolean> {
    await this.#step()
    return this.#names.has(path) || this.#directories.has(path)
  }

  async open(path: string, options: { create: 'new' | 'if-missing' | 'never' }): Promise<File> {
    await this.#step()
    let inode = this.#names.get(path)
    if (inode !== undefined && options.create === 'new') throw new Error(`${path} exists`)
    if (inode === undefined) {
      if (options.create === 'never') throw new Error(`${path} is absent`)
      inode = new Inode(Buffer.alloc(0))
      this.#changeName({ kind: 'set', path, inode })
    }
    return this.#file(inode)
  }

  async readFile(path: string): Promise<Uint8Array> {
    await this.#step()
    return Uint8Array.from(this.#inode(path).seen)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step()
    this.#changeName({ kind: 'rename', from, to, inode: this.#inode(from) })
  }

  async remove(path: string): Promise<void> {
    await this.#step()
    this.#inode(path)
    this.#changeName({ kind: 'remove', path })
  }

  async removeDirectory(path: string): Promise<void> {
    await this.#step()
    this.#directories.delete(path)
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#step()
    const here = (change: NameChange): boolean => {
      return directoryOf(change.kind === 'rename' ? change.to : change.path) === path
    }
    for (const change of this.#nameChanges) if (here(change)) applyName(this.#durableNames, change)
    this.#nameChanges = this.#nameChanges.filter((change) => !here(change))
  }

  async space(): Promise<DiskSpace> {
    const sizeBytes = Math.min(2 ** 40, this.capacityBytes)
    return { freeBytes: Math.max(0, sizeBytes - this.usedBytes), sizeBytes }
  }

  get usedBytes(): number {
    let bytes = 0
    for (const { seen } of this.#names.values()) bytes += seen.length
    return bytes
  }

  async lock(path: string): Promise<() => Promise<void>> {
    assert(!this.#locked.has(path), `${path} is locked`)
    this.#locked.add(path)
    return async () => void this.#locked.delete(path)
  }

  #file(inode: Inode): File {
    let closed = false
    const use = async (): Promise<void> => {
      assert(!closed, 'a closed file is used')
      await this.#step()
    }
    const write = (buffer: Uint8Array, position: number): void => {
      const added = position + buffer.length - inode.seen.length
      if (added > 0 && this.usedBytes + added > this.capacityBytes) {
        throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      }
      inode.change({ kind: 'write', position, bytes: Uint8Array.from(buffer) })
    }
    const readSync = (buffer: Uint8Array, position: number): number => {
      assert(!closed, 'a closed file is read')
      if (position >= inode.seen.length) return 0
      return inode.seen.copy(buffer, 0, position, position + buffer.length)
    }
    const writeAndSync = async (buffer: Uint8Array, position: number): Promise<void> => {
      await use()
      write(buffer, position)
      await use()
      inode.sync()
    }
    return {
      size: async () => (await use(), inode.seen.length),
      read: async (buffer, position) => (await use(), readSync(buffer, position)),
      readSync,
      write: async (buffer, position) => (await use(), write(buffer, position)),
      truncate: async (length) => (await use(), inode.change({ kind: 'truncate', length })),
      sync: async () => (await use(), inode.sync()),
      writeAndSync: (buffer, position, report) => {
        if (this.deferred || this.#at !== Infinity) {
          writeAndSync(buffer, position).then(
            () => report(null),
            (error: Error) => {
              if (inode.changes.length === 0 && this.capacityBytes === Infinity) {
                write(buffer, position)
              }
              report(error)
            },
          )
          return
        }
        assert(!closed, 'a closed file is written')
        this.operations += 2
        try {
          write(buffer, position)
        } catch (error) {
          return report(error as Error)
        }
        inode.sync()
        report(null)
      },
      close: async () => void (closed = true),
    }
  }

  #copy(names: Map<string, Inode>, bytesOf: (inode: Inode) => Buffer): CrashFileSystem {
    const copy = new CrashFileSystem()
    const inodes = new Map<Inode, Inode>()
    for (const [path, inode] of names) {
      if (!inodes.has(inode)) inodes.set(inode, new Inode(bytesOf(inode)))
      copy.#names.set(path, inodes.get(inode)!)
      copy.#durableNames.set(path, inodes.get(inode)!)
    }
    for (const directory of this.#directories) copy.#directories.add(directory)
    return copy
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw new Error(`${path} is absent`)
    return inode
  }

  #changeName(change: NameChange): void {
    applyName(this.#names, change)
    this.#nameChanges.push(change)
  }

  async #step(): Promise<void> {
    if (this.stopped) return new Promise<void>(() => undefined)
    this.operations++
    if (this.operations !== this.#at) return
    if (this.#mode === 'fail') throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
    this.stopped = true
    this.#stop()
    return new Promise<void>(() => undefined)
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function applyName(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'remove') names.delete(change.path)
  else if (change.kind === 'set') names.set(change.path, change.inode)
  else {
    names.delete(change.from)
    names.set(change.to, change.inode)
  }
}

function applied(bytes: Buffer, change: Change): Buffer {
  const length =
    change.kind === 'truncate'
      ? change.length
      : Math.max(bytes.length, change.position + change.bytes.length)
  const result = Buffer.alloc(length)
  bytes.copy(result, 0, 0, length)
  if (change.kind === 'write') result.set(change.bytes, change.position)
  return result
}

/** All of a change, none of it, or for a write some of its sectors. */
function survived(bytes: Buffer, change: Change, random: SeededRandom): Buffer {
  const luck = random.below(3)
  if (luck === 0) return bytes
  if (luck === 1 || change.kind === 'truncate') return applied(bytes, change)
  let result = bytes
  for (let at = 0; at < change.bytes.length;) {
    const position = change.position + at
    const length = Math.min(SECTOR_BYTES - (position % SECTOR_BYTES), change.bytes.length - at)
    const part = change.bytes.subarray(at, at + length)
    if (random.below(2) === 0) result = applied(result, { kind: 'write', position, bytes: part })
    at += length
  }
  return result
}
