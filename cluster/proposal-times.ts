import type { ClusterMetrics } from './cluster-metrics.ts'
import type { Clock } from './ports.ts'

/** When a leader proposed the entries that are not committed yet; as many as its quota lets it have. */
export class ProposalTimes {
  readonly #metrics: Pick<ClusterMetrics, 'commandsPerEntry' | 'commitDuration'>
  #waiting: { readonly index: number; readonly atMs: number }[] = []
  #first = 0

  constructor(metrics: Pick<ClusterMetrics, 'commandsPerEntry' | 'commitDuration'>) {
    this.#metrics = metrics
  }

  proposed(index: number, commands: number, clock: Clock): void {
    this.#metrics.commandsPerEntry.observe(commands)
    this.#waiting.push({ index, atMs: clock.monotonicMs() })
  }

  /** These are committed, in index order. */
  committed(entries: readonly { readonly index: number }[], clock: Clock): void {
    const newest = entries.at(-1)
    if (newest === undefined || this.#waiting.length === 0) return
    const nowMs = clock.monotonicMs()
    for (;;) {
      const next = this.#waiting[this.#first]
      if (next === undefined || next.index > newest.index) break
      this.#metrics.commitDuration.observe((nowMs - next.atMs) / 1_000)
      this.#first += 1
    }
    if (this.#first === this.#waiting.length) this.clear()
    else if (this.#first >= 1_024) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
  }

  /** This replica leads no more: what becomes of them others decide. */
  clear(): void {
    this.#waiting = []
    this.#first = 0
  }
}
