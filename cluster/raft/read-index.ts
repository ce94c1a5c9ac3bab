import { assert } from '../assert.ts'
import { quorumIndex, type Quorum } from './quorum.ts'
import type { RaftId } from './types.ts'

export interface ReadRequest {
  /** Who asked: this replica or a peer. */
  readonly from: RaftId
  /** The asker's own number. */
  readonly readId: number
}

export interface ConfirmedRead extends ReadRequest {
  readonly index: number
}

interface QueuedRead extends ConfirmedRead {
  readonly number: number
}

/**
 * The reads that a leader has been asked for in its term (thesis §6.4). Each gets a number, larger
 * than all before it, and the commit index of that moment. A heartbeat names the newest number; its
 * answer, in the same term, shows that the sender still followed this leader after all those reads
 * had begun. A number is never used again, so that a late answer cannot confirm a newer read.
 */
export class LeaderReads {
  readonly #limit: number
  #parked: ReadRequest[] = []
  #queue: QueuedRead[] = []
  #newest = 0
  #sent = 0
  #confirmed = 0
  readonly #acknowledged = new Map<RaftId, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Number for the next heartbeat to name: everything queued so far. */
  get newest(): number {
    return this.#newest
  }

  /** Reads wait for a round, and none is under way: one round serves all that came meanwhile. */
  get wantsRound(): boolean {
    return this.#newest > this.#sent && this.#confirmed >= this.#sent
  }

  get full(): boolean {
    return this.#queue.length + this.#parked.length >= this.#limit
  }

  /** Keeps a read until the leader knows its commit index, by an entry of its own term. */
  park(request: ReadRequest): void {
    this.#parked.push(request)
  }

  unpark(index: number): void {
    const parked = this.#parked
    this.#parked = []
    for (const request of parked) this.add(request, index)
  }

  add(request: ReadRequest, index: number): void {
    this.#newest++
    this.#queue.push({ ...request, index, number: this.#newest })
  }

  roundSent(): void {
    this.#sent = this.#newest
  }

  acknowledge(from: RaftId, number: number): void {
    assert(number <= this.#sent, `read round ${number} was answered before it was sent`)
    if (number > (this.#acknowledged.get(from) ?? 0)) this.#acknowledged.set(from, number)
  }

  /** Takes the reads that a majority confirmed; the leader itself confirms what it has begun. */
  takeConfirmed(self: RaftId, quorum: Quorum): ConfirmedRead[] {
    const confirmed = quorumIndex(quorum, (id) =>
      id === self ? this.#newest : (this.#acknowledged.get(id) ?? 0),
    )
    this.#confirmed = Math.max(this.#confirmed, confirmed)
    let count = 0
    while (count < this.#queue.length && this.#queue[count]!.number <= confirmed) count++
    if (count === 0) return []
    return this.#queue.splice(0, count)
  }

  /** Everything unanswered, when leadership ends. */
  takeAll(): ReadRequest[] {
    const all = [...this.#queue, ...this.#parked]
    this.#queue = []
    this.#parked = []
    return all
  }
}

/** The reads that this replica asked of its leader, each with a deadline in ticks. */
export class ForwardedReads {
  readonly #reads = new Map<number, { readId: number; deadline: number }>()
  #nextNumber: number
  #tick = 0

  /**
   * `seed` is random: numbers differ from those of an earlier life, so that an answer that was under
   * way over a restart meets no read of today.
   */
  constructor(seed: number) {
    this.#nextNumber = seed * 2 ** 20 + 1
  }

  get size(): number {
    return this.#reads.size
  }

  /** Returns the number that travels. */
  add(readId: number, ticks: number): number {
    const number = this.#nextNumber++
    this.#reads.set(number, { readId, deadline: this.#tick + ticks })
    return number
  }

  /** The asker's number, or `null` if the read is no longer waited for. */
  take(number: number): number | null {
    const read = this.#reads.get(number)
    if (read === undefined) return null
    this.#reads.delete(number)
    return read.readId
  }

  /** Numbers of the reads whose answer is overdue. */
  tick(): number[] {
    this.#tick++
    const overdue: number[] = []
    // In the order of their deadlines, as all wait equally long.
    for (const [number, read] of this.#reads) {
      if (read.deadline > this.#tick) break
      this.#reads.delete(number)
      overdue.push(read.readId)
    }
    return overdue
  }

  takeAll(): number[] {
    const all = [...this.#reads.values()].map((read) => read.readId)
    this.#reads.clear()
    return all
  }
}
