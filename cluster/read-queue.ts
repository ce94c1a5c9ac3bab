import type { ClusterMetrics } from './cluster-metrics.ts'
import type { Clock, Random } from './ports.ts'
import type { Raft } from './raft/raft.ts'
import type { ReadState } from './raft/ready.ts'

const MAX_WAITING = 10_000

/** Why a linearizable read got no index: ask again, perhaps elsewhere. */
export class ReadUnavailableError extends Error {
  override readonly name = 'ReadUnavailableError'
}

interface Waiter {
  readonly sinceMs: number
  resolve(index: number): void
  reject(error: Error): void
}

/**
 * Linearizable reads (thesis §6.4). All reads asked for in one turn share one round of heartbeats:
 * one id, never used twice, not even by an earlier life of this process.
 */
export class ReadQueue {
  readonly #raft: Raft
  readonly #clock: Clock
  readonly #metrics: ClusterMetrics
  readonly #rounds = new Map<number, Waiter[]>()
  #gathering: Waiter[] = []
  #waiting = 0
  #lastId: number

  constructor(raft: Raft, parts: { clock: Clock; random: Random; metrics: ClusterMetrics }) {
    this.#raft = raft
    this.#clock = parts.clock
    this.#metrics = parts.metrics
    this.#lastId = parts.random.uint32() * 2 ** 20
  }

  begin(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#waiting >= MAX_WAITING) {
        this.#metrics.reads.refused.add()
        reject(new ReadUnavailableError('too many linearizable reads wait'))
        return
      }
      this.#waiting += 1
      this.#gathering.push({ sinceMs: this.#clock.monotonicMs(), resolve, reject })
    })
  }

  flush(): void {
    if (this.#gathering.length === 0) return
    this.#lastId += 1
    this.#rounds.set(this.#lastId, this.#gathering)
    this.#gathering = []
    this.#raft.readIndex(this.#lastId)
  }

  answered(read: ReadState): void {
    const waiters = this.#rounds.get(read.readId)
    if (waiters === undefined) return
    this.#rounds.delete(read.readId)
    this.#waiting -= waiters.length
    for (const waiter of waiters) {
      if (read.index > 0) {
        this.#metrics.reads.confirmed.add()
        this.#metrics.readDuration.observe((this.#clock.monotonicMs() - waiter.sinceMs) / 1_000)
        waiter.resolve(read.index)
      } else {
        this.#metrics.reads.refused.add()
        waiter.reject(new ReadUnavailableError('the leader cannot confirm its lead now'))
      }
    }
  }

  /** The leader changed: answers of the old one may never come. */
  failAll(): void {
    for (const readId of [...this.#rounds.keys()]) this.answered({ readId, index: 0 })
  }
}
