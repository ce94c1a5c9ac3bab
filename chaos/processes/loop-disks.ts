import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compile } from './compile.ts'
import type { ProcessCluster } from './process-cluster.ts'

const run = promisify(execFile)
const BYTES = 512 << 20

/** Waits for the end of its input, which comes with the end of these tests however they end. */
const GUARD = `trap '' INT TERM HUP
while read -r line; do :; done
while [ $# -gt 0 ]; do umount --lazy "$1"; rm -f "$2"; shift 2; done`

/**
 * A disk of its own for each node: an ext4 in a file, mounted as the node's data directory, that can
 * lose its power. Needs root. The loop devices end with the mounts.
 */
export class LoopDisks {
  readonly #cluster: ProcessCluster
  readonly #powerLoss: string
  readonly #mounted = new Set<string>()
  readonly #guard: ChildProcess

  private constructor(cluster: ProcessCluster, powerLoss: string) {
    this.#cluster = cluster
    this.#powerLoss = powerLoss
    const pairs = cluster.nodes.flatMap(({ name, data }) => [data, this.#image(name)])
    this.#guard = spawn('sh', ['-c', GUARD, 'sh', ...pairs], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#guard.unref()
  }

  /** Call it before the first start of a node. */
  static async create(cluster: ProcessCluster): Promise<LoopDisks> {
    const disks = new LoopDisks(cluster, await compile('power-loss', cluster.directory))
    try {
      for (const { name, data } of cluster.nodes) {
        const image = disks.#image(name)
        await writeFile(image, '')
        await truncate(image, BYTES)
        await run('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=1,lazy_journal_init=1', image])
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
    await run(
      this.#powerLoss,
      names.map((name) => this.#cluster.node(name).data),
    )
  }

  /** The power is back: only what the disk held is there. No process may have a file open on it. */
  async restorePower(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#unmount(name)
      await this.#mount(name)
    }
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
