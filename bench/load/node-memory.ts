import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessCluster } from '../../chaos/processes/process-cluster.ts'

const EVERY_MS = 500

/** MiB that a process has resident, by kind. */
export interface Resident {
  /** Its own: heap, buffers, LevelDB's write buffers and cache. What a machine must have. */
  readonly anon: number
  /** Pages of mapped files, tables of LevelDB and the program. The system takes them back at will. */
  readonly file: number
  /** All of it: `VmRSS`. */
  readonly total: number
}

interface Sample extends Resident {
  readonly atMs: number
  readonly node: string
}

/** What each node of a cluster has resident, sampled each half second. */
export class NodeMemory {
  readonly #cluster: ProcessCluster
  readonly #samples: Sample[] = []
  #running = true

  constructor(cluster: ProcessCluster) {
    this.#cluster = cluster
    void this.#watch()
  }

  stop(): void {
    this.#running = false
  }

  /** The most of each kind that `node`, or any one if none is named, had between two times. */
  peak({ node, fromMs = 0, toMs = Infinity }: PeakOf = {}): Resident {
    const within = this.#samples.filter(
      (sample) =>
        sample.atMs >= fromMs && sample.atMs < toMs && (node === undefined || sample.node === node),
    )
    const most = (kind: keyof Resident) =>
      Math.round(within.reduce((peak, sample) => Math.max(peak, sample[kind]), 0))
    return { anon: most('anon'), file: most('file'), total: most('total') }
  }

  async #watch(): Promise<void> {
    while (this.#running) {
      for (const { name: node, process: child } of this.#cluster.running) {
        // It may have ended meanwhile.
        const status = await readFile(`/proc/${child!.pid}/status`, 'utf8').catch(() => '')
        const mib = (field: string) =>
          Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
        this.#samples.push({
          atMs: Date.now(),
          node,
          anon: mib('RssAnon'),
          file: mib('RssFile') + mib('RssShmem'),
          total: mib('VmRSS'),
        })
      }
      await sleep(EVERY_MS)
    }
  }
}

interface PeakOf {
  readonly node?: string
  /** Ms since the epoch. */
  readonly fromMs?: number
  readonly toMs?: number
}
