import type { Prng } from '../prng.ts'
import type { DiskFile } from './disk-file.ts'

type Entry = DiskFile | 'directory'

/** One directory: names as every process sees them, and the changes that no sync has covered. */
interface Directory {
  readonly names: Map<string, Entry>
  /** Each undoes one change; newest last. */
  unsynced: (() => void)[]
}

/** The names of a disk. A name made, moved or removed survives a power cut only after its directory was synced. */
export class DiskTree {
  readonly #directories = new Map<string, Directory>([['', { names: new Map(), unsynced: [] }]])
  readonly #onMoved: (from: string, to: string) => void

  /** `onMoved`: a directory, with all that is in it, got another name, or its old one back. */
  constructor(onMoved: (from: string, to: string) => void = () => {}) {
    this.#onMoved = onMoved
  }

  directory(path: string): Directory | undefined {
    return this.#directories.get(normal(path))
  }

  has(path: string): boolean {
    return this.#directories.has(normal(path)) || this.file(path) !== undefined
  }

  file(path: string): DiskFile | undefined {
    const [parent, name] = parted(path)
    const entry = this.#directories.get(parent)?.names.get(name)
    return entry === 'directory' ? undefined : entry
  }

  files(): (readonly [string, DiskFile])[] {
    const found: [string, DiskFile][] = []
    for (const [path, { names }] of this.#directories) {
      for (const [name, entry] of names)
        if (entry !== 'directory') found.push([`${path}/${name}`, entry])
    }
    return found
  }

  makeDirectory(path: string): void {
    const full = normal(path)
    if (full === '' || this.#directories.has(full)) return
    const [parent] = parted(full)
    this.makeDirectory(parent)
    this.#directories.set(full, { names: new Map(), unsynced: [] })
    this.#set(full, 'directory')
  }

  list(path: string): string[] {
    return [...(this.directory(path)?.names.keys() ?? [])].sort()
  }

  add(path: string, file: DiskFile): void {
    this.#set(path, file)
  }

  remove(path: string): void {
    this.#set(path, undefined)
  }

  removeDirectory(path: string): void {
    this.#set(path, undefined)
    const full = normal(path)
    for (const known of this.#directories.keys()) {
      if (known === full || known.startsWith(`${full}/`)) this.#directories.delete(known)
    }
  }

  /** Both names change at once: after a power cut the old or the new is there, never half. */
  rename(from: string, to: string): void {
    const [fromParent, fromName] = parted(from)
    const [toParent, toName] = parted(to)
    const source = this.#directories.get(fromParent)!.names
    const target = this.#directories.get(toParent)!.names
    const entry = source.get(fromName)!
    const replaced = target.get(toName)
    source.delete(fromName)
    target.set(toName, entry)
    if (entry === 'directory') this.#move(normal(from), normal(to))
    this.#directories.get(toParent)!.unsynced.push(() => {
      if (entry === 'directory') this.#move(normal(to), normal(from))
      restore(target, toName, replaced)
      restore(source, fromName, entry)
    })
  }

  #move(from: string, to: string): void {
    for (const [path, directory] of [...this.#directories]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#directories.delete(path)
      this.#directories.set(to + path.slice(from.length), directory)
    }
    this.#onMoved(from, to)
  }

  sync(path: string): void {
    const directory = this.directory(path)
    if (directory !== undefined) directory.unsynced = []
  }

  /** The same names with copies of the same files, as a power cut would leave them at best. */
  copy(): DiskTree {
    const tree = new DiskTree(this.#onMoved)
    for (const [path, { names }] of this.#directories) {
      const copies = [...names].map(([name, entry]): [string, Entry] => [
        name,
        entry === 'directory' ? entry : entry.copy(),
      ])
      tree.#directories.set(path, { names: new Map(copies), unsynced: [] })
    }
    return tree
  }

  /** Of each directory's unsynced changes the oldest few survive, as a journal writes them. */
  powerCut(prng: Prng): void {
    for (const directory of [...this.#directories.values()]) {
      const kept = prng.below(directory.unsynced.length + 1)
      while (directory.unsynced.length > kept) directory.unsynced.pop()!()
      directory.unsynced = []
    }
    this.#forgetUnreachable()
  }

  #set(path: string, entry: Entry | undefined): void {
    const [parent, name] = parted(path)
    const directory = this.#directories.get(parent)
    if (directory === undefined) throw new Error(`${parent} is no directory`)
    const { names, unsynced } = directory
    const old = names.get(name)
    restore(names, name, entry)
    unsynced.push(() => restore(names, name, old))
  }

  #forgetUnreachable(): void {
    for (const path of [...this.#directories.keys()].sort()) {
      if (path === '') continue
      const [parent, name] = parted(path)
      if (this.#directories.get(parent)?.names.get(name) !== 'directory')
        this.#directories.delete(path)
    }
    for (const [path, { names }] of [...this.#directories]) {
      for (const [name, entry] of names) {
        const child = `${path}/${name}`
        // A removed directory whose removal was undone is empty: what was in it is gone.
        if (entry === 'directory' && !this.#directories.has(child)) {
          this.#directories.set(child, { names: new Map(), unsynced: [] })
        }
      }
    }
  }
}

function restore(names: Map<string, Entry>, name: string, entry: Entry | undefined): void {
  if (entry === undefined) names.delete(name)
  else names.set(name, entry)
}

function normal(path: string): string {
  if (path.startsWith('/') && !path.endsWith('/')) return path
  return path.replace(/\/+$/, '').replace(/^(?=[^/])/, '/')
}

function parted(path: string): [string, string] {
  const full = normal(path)
  const at = full.lastIndexOf('/')
  return [full.slice(0, at), full.slice(at + 1)]
}
