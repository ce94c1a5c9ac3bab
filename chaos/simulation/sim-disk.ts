import type { DiskSpace, File, FileSystem } from '#cluster'
import type { Prng } from '../prng.ts'
import { type Change, DiskFile, type Survival } from './disk-file.ts'
import { DiskTree } from './disk-tree.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'
import { afterWork } from './slow-operation.ts'

export interface DiskOptions {
  /** One operation without a sync, in ms, up to. */
  readonly operationMs: number
  /** One sync, in ms, from and up to; most are near the lower. */
  readonly syncMs: readonly [number, number]
  /** Share of `writeAndSync` calls that are done before they return, as on the main thread. */
  readonly inlineShare: number
  /** Bytes of the volume. */
  readonly capacityBytes: number
}

export interface DiskFaults {
  /** Share of writes and syncs that fail. */
  writeErrorShare: number
  syncErrorShare: number
  /** Share of reads that fail; what is on the disk stays as it is. */
  readErrorShare: number
  /** Bytes by which files may still grow; `null` for as many as the volume has. */
  roomBytes: number | null
  /** Everything takes this many times as long. */
  slowness: number
}

const NO_FAULTS: Readonly<DiskFaults> = {
  writeErrorShare: 0,
  syncErrorShare: 0,
  readErrorShare: 0,
  roomBytes: null,
  slowness: 1,
}

/** What the harness is told as it happens. */
export interface DiskObserver {
  /** Written to `path` and synced: survives a power cut from here on. */
  onSynced(path: string, bytes: Uint8Array): void
}

class DiskError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

/** One machine's disk. It outlives the processes that use it. */
export class SimDisk {
  #tree = new DiskTree((from, to) => this.onMoved(from, to))
  #remembersWrites = false
  readonly faults: DiskFaults = { ...NO_FAULTS }
  /** Faults that were really met. */
  errors = 0
  /** Of these, how many a full volume made. */
  refused = 0
  /** Operations that a slow disk made late. */
  slowed = 0
  observer: DiskObserver | null = null
  /** A directory got another name. */
  onMoved: (from: string, to: string) => void = () => {}
  /** Asked between a write and its sync; may end the process. */
  beforeSync: (process: SimProcess) => void = () => {}
  readonly #scheduler: SimScheduler
  readonly #prng: Prng
  readonly #options: DiskOptions
  readonly #locks = new Map<string, SimProcess>()

  constructor(scheduler: SimScheduler, prng: Prng, options: DiskOptions) {
    this.#scheduler = scheduler
    this.#prng = prng
    this.#options = options
  }

  get tree(): DiskTree {
    return this.#tree
  }

  /** The last writes of every file are remembered from now on, so that one can be lost. */
  rememberWrites(): void {
    this.#remembersWrites = true
    for (const [, file] of this.tree.files()) file.remembersWrites = true
  }

  /** What it holds now, to be put back later. */
  image(): () => void {
    const tree = this.#tree.copy()
    return () => (this.#tree = tree.copy())
  }

  /** It works again; what is lost stays lost. */
  heal(): void {
    Object.assign(this.faults, NO_FAULTS)
  }

  /** The file system port of one process. */
  portOf(process: SimProcess): FileSystem {
    const later = <T>(run: () => T): Promise<T> => this.#later(process, this.#operationMs(), run)
    const { tree } = this
    return {
      makeDirectory: (path) => later(() => tree.makeDirectory(path)),
      list: (path) => later(() => tree.list(path)),
      exists: (path) => later(() => tree.has(path)),
      open: (path, { create }) => later(() => this.#open(process, path, create)),
      readFile: (path) =>
        later(() => {
          this.#maybeUnreadable(path)
          return this.#file(path).content()
        }),
      rename: (from, to) =>
        later(() => {
          if (!tree.has(from)) throw new DiskError('ENOENT', from)
          this.#maybeFail()
          tree.rename(from, to)
        }),
      remove: (path) =>
        later(() => {
          this.#file(path)
          tree.remove(path)
        }),
      removeDirectory: (path) =>
        later(() => {
          if (tree.list(path).length > 0) throw new DiskError('ENOTEMPTY', path)
          tree.removeDirectory(path)
        }),
      syncDirectory: (path) =>
        this.#later(process, this.#syncMs(), () => {
          if (tree.directory(path) === undefined) throw new DiskError('ENOENT', path)
          if (this.#fails(this.faults.syncErrorShare)) throw new DiskError('EIO', `sync of ${path}`)
          tree.sync(path)
        }),
      space: () => later(() => this.#space()),
      lock: (path) => later(() => this.#lock(process, path)),
    }
  }

  /** What an end of the process does to files: calls under way happened, in part or not at all. */
  kill(process: SimProcess): void {
    for (const [, file] of this.tree.files()) file.kill(() => this.#survival())
    this.#unlock(process)
  }

  /** What a power cut does: anything not synced may be there, in part, in any order, or not. */
  powerCut(process: SimProcess): void {
    const mostly = this.#prng.float()
    for (const [, file] of this.tree.files()) {
      file.powerCut(() => (this.#prng.chance(mostly) ? 'nothing' : this.#survival()))
    }
    this.tree.powerCut(this.#prng)
    this.#unlock(process)
  }

  wipe(): void {
    for (const name of this.tree.list('')) {
      if (this.tree.file(`/${name}`) === undefined) this.tree.removeDirectory(`/${name}`)
      else this.tree.remove(`/${name}`)
    }
    this.tree.sync('')
  }

  /**
   * Flips one bit of a matching file, before where its last sync began: the end of a log that no
   * later batch has proven cannot be told from a torn write (rule K2). `null` if there is nothing.
   */
  rot(prng: Prng, matches: (path: string) => boolean): string | null {
    const files = this.#proven(matches)
    if (files.length === 0) return null
    const [path, file] = pickFile(prng, files)
    const bit = prng.below(file.provenBytes * 8)
    file.flipBit(bit)
    return `${path}: bit ${bit}`
  }

  /**
   * A write that was reported as synced never was, and with `elsewhere` its bytes stand in another
   * place of a matching file. As with rot, the newest is spared. `null` if there is nothing to lose.
   */
  loseWrite(prng: Prng, matches: (path: string) => boolean, elsewhere: boolean): string | null {
    const files = this.#proven(matches)
    if (files.length === 0) return null
    const [path, file] = pickFile(prng, files)
    const bytes = file.loseWrite((count) => prng.below(count))
    if (bytes === null) return null
    const lost = `${path}: a write of ${bytes.length} bytes is lost`
    if (!elsewhere) return lost
    const [there, other] = prng.pick(files)
    const position = prng.below(Math.max(1, other.provenBytes - bytes.length))
    other.misplace(bytes.subarray(0, other.provenBytes - position), position)
    return `${lost} and stands in ${there} at ${position}`
  }

  #proven(matches: (path: string) => boolean): (readonly [string, DiskFile])[] {
    const files = this.tree.files()
    return files.filter(([path, file]) => matches(path) && file.provenBytes > 0).toSorted(byPath)
  }

  #survival(): Survival {
    const kind = this.#prng.below(4)
    if (kind === 0) return 'all'
    if (kind === 1) return 'nothing'
    const share = this.#prng.float()
    // A prefix of the write, or any of its sectors.
    if (kind === 2) {
      let torn = false
      return { sectors: () => !(torn ||= this.#prng.chance(share)) }
    }
    return { sectors: () => this.#prng.chance(share) }
  }

  #open(process: SimProcess, path: string, create: 'new' | 'if-missing' | 'never'): File {
    const old = this.tree.file(path)
    if (create === 'new' && old !== undefined) throw new DiskError('EEXIST', path)
    if (create === 'never' && old === undefined) throw new DiskError('ENOENT', path)
    const file = old ?? new DiskFile()
    if (old === undefined) {
      if (this.faults.roomBytes === 0) throw this.#noRoom(path)
      this.tree.add(path, file)
    }
    file.remembersWrites = this.#remembersWrites
    return this.#handle(process, path, file)
  }

  #handle(process: SimProcess, path: string, file: DiskFile): File {
    const later = <T>(run: () => T): Promise<T> => this.#later(process, this.#operationMs(), run)
    const change = async (begin: () => Change): Promise<void> => {
      if (!process.takesStep()) return new Promise(() => {})
      this.#maybeFail()
      const made = begin()
      await later(() => file.reported(made))
    }
    return {
      size: () => later(() => file.length),
      read: (buffer, position) =>
        later(() => {
          this.#maybeUnreadable(path)
          return file.read(buffer, position)
        }),
      readSync: (buffer, position) => {
        this.#maybeUnreadable(path)
        return file.read(buffer, position)
      },
      write: (buffer, position) =>
        change(() => {
          this.#grow(path, file, buffer, position)
          return file.write(buffer, position)
        }),
      truncate: (length) => change(() => file.truncate(length)),
      sync: () => {
        const covered = file.beginSync()
        return this.#later(process, this.#syncMs(), () => this.#sync(path, file, covered))
      },
      writeAndSync: (buffer, position, done) => {
        if (!process.takesStep()) return
        this.#writeAndSync(process, path, file, buffer, position, done)
      },
      close: () => later(() => {}),
    }
  }

  #writeAndSync(
    process: SimProcess,
    path: string,
    file: DiskFile,
    buffer: Uint8Array,
    position: number,
    done: (error: Error | null) => void,
  ): void {
    if (this.#fails(this.faults.writeErrorShare)) {
      this.#after(process, this.#operationMs(), () => done(new DiskError('EIO', path)))
      return
    }
    try {
      this.#grow(path, file, buffer, position)
    } catch (error) {
      this.#after(process, this.#operationMs(), () => done(error as Error))
      return
    }
    const written = file.write(buffer, position)
    const covered = file.beginSync()
    this.beforeSync(process)
    if (!process.isAlive) return
    const complete = () => {
      file.reported(written)
      try {
        this.#sync(path, file, covered)
      } catch (error) {
        done(error as Error)
        return
      }
      done(null)
    }
    const inline = this.faults.slowness === 1 && this.#prng.chance(this.#options.inlineShare)
    if (inline) complete()
    else this.#after(process, this.#syncMs(), complete)
  }

  #sync(path: string, file: DiskFile, covered: readonly Change[]): void {
    if (this.#fails(this.faults.syncErrorShare)) {
      file.failSync(covered)
      throw new DiskError('EIO', 'sync')
    }
    file.endSync(covered)
    if (this.observer === null) return
    for (const { position, bytes } of covered) {
      // A kill may have cut it short, and a start may have written over it.
      if (bytes === null || !file.shows(bytes, position)) continue
      this.observer.onSynced(path, bytes)
    }
  }

  #file(path: string): DiskFile {
    const file = this.tree.file(path)
    if (file === undefined) throw new DiskError('ENOENT', path)
    return file
  }

  #later<T>(process: SimProcess, workMs: number, run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!process.isAlive) return
      this.#after(process, workMs, () => {
        try {
          resolve(run())
        } catch (error) {
          reject(error as Error)
        }
      })
    })
  }

  #maybeUnreadable(path: string): void {
    if (this.#fails(this.faults.readErrorShare)) throw new DiskError('EIO', `read of ${path}`)
  }

  /** Takes room for what is added to the file; what fits is written before the volume is full. */
  #grow(path: string, file: DiskFile, buffer: Uint8Array, position: number): void {
    const added = Math.max(0, position + buffer.length - file.length)
    const { roomBytes } = this.faults
    if (added === 0 || (roomBytes === null && this.#options.capacityBytes === Infinity)) return
    const free = Math.max(0, this.#freeBytes())
    if (roomBytes !== null) this.faults.roomBytes = Math.max(0, roomBytes - added)
    if (added <= free) return
    const fits = buffer.length - added + free
    if (fits > 0) file.reported(file.write(buffer.subarray(0, fits), position))
    throw this.#noRoom(path)
  }

  #noRoom(path: string): DiskError {
    this.errors += 1
    this.refused += 1
    return new DiskError('ENOSPC', `no space left on the volume of ${path}`)
  }

  #maybeFail(): void {
    if (this.#fails(this.faults.writeErrorShare)) throw new DiskError('EIO', 'write')
  }

  #fails(share: number): boolean {
    if (!this.#prng.chance(share)) return false
    this.errors += 1
    return true
  }

  #space(): DiskSpace {
    const most = Number.MAX_SAFE_INTEGER
    return { freeBytes: this.#freeBytes(), sizeBytes: Math.min(most, this.#options.capacityBytes) }
  }

  #freeBytes(): number {
    if (this.faults.roomBytes !== null) return this.faults.roomBytes
    if (this.#options.capacityBytes === Infinity) return Number.MAX_SAFE_INTEGER
    let used = 0
    for (const [, file] of this.tree.files()) used += file.length
    return this.#options.capacityBytes - used
  }

  #lock(process: SimProcess, path: string): () => Promise<void> {
    const holder = this.#locks.get(path)
    if (holder?.isAlive === true) {
      throw new DiskError('EBUSY', `${path} is in use by ${holder.host}`)
    }
    this.#locks.set(path, process)
    return () => {
      if (this.#locks.get(path) === process) this.#locks.delete(path)
      return Promise.resolve()
    }
  }

  #unlock(process: SimProcess): void {
    for (const [path, holder] of this.#locks) if (holder === process) this.#locks.delete(path)
  }

  #after(process: SimProcess, workMs: number, run: () => void): void {
    if (this.faults.slowness > 1) this.slowed += 1
    const parts = { scheduler: this.#scheduler, process, slowness: () => this.faults.slowness }
    afterWork(parts, workMs, run)
  }

  #operationMs(): number {
    return this.#prng.float() * this.#options.operationMs
  }

  #syncMs(): number {
    const [low, high] = this.#options.syncMs
    const uniform = this.#prng.float()
    return low + (high - low) * uniform * uniform * uniform * uniform
  }
}

/** Names of log segments ascend: the last file is the one that is being written. */
function byPath([one]: readonly [string, DiskFile], [other]: readonly [string, DiskFile]): number {
  return one < other ? -1 : 1
}

/** Half of the time what a start has to tell from a torn end. */
function pickFile<T>(prng: Prng, files: readonly T[]): T {
  return prng.chance(0.5) ? files.at(-1)! : prng.pick(files)
}
