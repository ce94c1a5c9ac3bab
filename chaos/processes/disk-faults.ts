import { constants } from 'node:os'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile } from './compile.ts'
import type { ProcessCluster } from './process-cluster.ts'

export interface DiskFault {
  /** `sync`: fdatasync and fsync. */
  readonly on: 'sync' | 'write'
  readonly does: { delayMs: number } | { fail: 'EIO' | 'ENOSPC' | 'EROFS' } | 'skip'
  /** A part of the file's path. @default the log */
  readonly where?: string
}

/** Slow, failing and lying disks, per node, switched while the nodes run. */
export class DiskFaults {
  readonly #directory: string
  readonly #library: string

  private constructor(directory: string, library: string) {
    this.#directory = directory
    this.#library = library
  }

  /** Goes away with the cluster's directory. */
  static async create({ directory }: ProcessCluster): Promise<DiskFaults> {
    return new DiskFaults(directory, await compile('disk-faults', directory))
  }

  /** What a node must be started with to be in reach. */
  environment(node: string): Record<string, string> {
    return { LD_PRELOAD: this.#library, PARLEY_DISK_FAULTS: this.#control(node) }
  }

  /** Holds for every call that begins after it resolves, until the next `set`. */
  async set(node: string, ...faults: readonly DiskFault[]): Promise<void> {
    const control = this.#control(node)
    await rm(`${control}.hits`, { force: true })
    await writeFile(`${control}.new`, faults.map(ruleOf).join(''))
    await rename(`${control}.new`, control)
  }

  /** How often a fault struck since the last `set`. */
  async hits(node: string): Promise<number> {
    const text = await readFile(`${this.#control(node)}.hits`, 'utf8').catch(() => '')
    return text.split('\n').length - 1
  }

  #control(node: string): string {
    return join(this.#directory, `${node}.faults`)
  }
}

function ruleOf({ on, does, where = '/log/' }: DiskFault): string {
  if (does === 'skip') return `${on} skip 0 ${where}\n`
  if ('delayMs' in does) return `${on} delay ${does.delayMs} ${where}\n`
  return `${on} fail ${constants.errno[does.fail]} ${where}\n`
}
