import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, open, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compile } from './compile.ts'
import type { ProcessCluster } from './process-cluster.ts'

const run = promisify(execFile)
const BYTES = 512 << 20
const MIB = 1 << 20

/** Waits for the end of its input, which comes with the end of these tests however they end. */
const GUARD = `trap '' INT TERM HUP
while read -r line; do :; done
while [ $# -gt 0 ]; do umount --lazy "$1"; rm -f "$2"; shift 2; done`

/**
 * A disk of its own for each node: an ext4 in a file, mounted as the node's data directory, that can
 * lose its power, fill up and be read-only. Needs root. The loop devices end with the mounts.
 */
export class LoopDisks {
  readonly #cluster: ProcessCluster
  #powerLoss: Promise<string> | null = null
  readonly #mounted = new Set<string>()
  readonly #guard: ChildProcess

  private constructor(cluster: ProcessCluster) {
    this.#cluster = cluster
    const pairs = cluster.nodes.flatMap(({ name, data }) => [data, this.#image(name)])
    this.#guard = spawn('sh', ['-c', GUARD, 'sh', ...pairs], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#guard.unref()
  }

  /** Call it before the first start of a node. */
  static async create(cluster: ProcessCluster, bytes = BYTES): Promise<LoopDisks> {
    const disks = new LoopDisks(cluster)
    try {
      for (const { name, data } of cluster.nodes) {
        const image = disks.#image(name)
        await writeFile(image, '')
        await truncate(image, bytes)
        const lazy = 'lazy_itable_init=1,lazy_journal_init=1'
        await run('mkfs.ext4', ['-q', '-m', '0', '-E', lazy, image])
        await mkdir(data)
        await disks.#mount(name)
      }
      return disks
    } catch (error) {
      await disks.close()
      throw error
    }
  }

  /** The power fails on the disks of these nodes, whatever their processes are doing. */
  async losePower(names: readonly string[]): Promise<void> {
    this.#powerLoss ??= compile('power-loss', this.#cluster.directory)
    await run(
      await this.#powerLoss,
      names.map((name) => this.#cluster.node(name).data),
    )
  }

  /** The file system gives up, as it does after an error of its disk: whoever writes hears EROFS. */
  async fail(name: string): Promise<void> {
    await run('mount', ['-o', 'remount,abort', this.#cluster.node(name).data])
  }

  /** After either: only what the disk held is there. No process may have a file open on it. */
  async mountAgain(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#unmount(name)
      await this.#mount(name)
    }
  }

  async freeBytes(name: string): Promise<number> {
    const { bavail, bsize } = await statfs(this.#cluster.node(name).data)
    return bavail * bsize
  }

  /** Something else takes room until at most so many bytes are left. */
  async leave(name: string, bytes: number): Promise<void> {
    const filler = this.#filler(name)
    const taken = await stat(filler).then(
      ({ size }) => size,
      () => 0,
    )
    const take = (await this.freeBytes(name)) - bytes - (bytes === 0 ? MIB : 0)
    if (take > 0) await run('fallocate', ['--length', String(taken + take), filler])
    if (bytes === 0) await writeUntilFull(filler)
  }

  /** What something else took is there again. */
  async giveBack(name: string): Promise<void> {
    await rm(this.#filler(name), { force: true })
  }

  /** Nobody may have a file open for writing if it is to be read-only. */
  async remount(name: string, how: 'ro' | 'rw'): Promise<void> {
    await run('mount', ['-o', `remount,${how}`, this.#cluster.node(name).data])
  }

  /** Kill the nodes first. */
  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#guard.once('exit', () => resolve()))
    try {
      for (const { name, data } of this.#cluster.nodes) {
        if (this.#mounted.has(data)) await this.#unmount(name)
      }
    } finally {
      this.#guard.ref()
      this.#guard.stdin?.end()
      await ended
    }
  }

  #image(name: string): string {
    return join(this.#cluster.directory, `${name}.image`)
  }

  #filler(name: string): string {
    return join(this.#cluster.node(name).data, 'of-somebody-else')
  }

  async #mount(name: string): Promise<void> {
    const { data } = this.#cluster.node(name)
    await run('mount', ['-t', 'ext4', '-o', 'loop', this.#image(name), data])
    this.#mounted.add(data)
  }

  async #unmount(name: string): Promise<void> {
    const { data } = this.#cluster.node(name)
    await run('umount', [data])
    this.#mounted.delete(data)
  }
}

/** To the last block. */
async function writeUntilFull(path: string): Promise<void> {
  const file = await open(path, 'a')
  const block = Buffer.alloc(4096)
  try {
    for (;;) {
      await file.write(block)
      await file.datasync()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    await file.close()
  }
}
