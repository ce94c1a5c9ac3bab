import { assert } from '../assert.ts'
import { Inflights } from './inflights.ts'

export interface ProgressLimits {
  readonly maxInflightMessages: number
  readonly maxInflightBytes: number
}

/**
 * What a leader knows of one peer in its term.
 * - `probe`: where the logs part is unknown; one message at a time, until an answer or the next
 *   heartbeat's answer.
 * - `replicate`: entries stream ahead of the acknowledgements, within the window.
 * - `snapshot`: the peer needs entries that are gone; nothing is sent until the host reports.
 */
export class Progress {
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  /** Durable there, by its own word in this term. Invariant: `match < next`. Never falls. */
  match = 0
  /** The first index to send next. */
  next: number
  learner: boolean
  /** Acknowledged something in the current check-quorum round. */
  active = false
  /** Did so in the round before: of a round that has just begun, nobody's answer is in yet. */
  wasActive = false
  /** The greatest commit index this peer could learn from what it was sent. */
  commitSent = 0
  readonly inflights: Inflights
  #probeSent = false
  #snapshotIndex = 0

  constructor(next: number, learner: boolean, limits: ProgressLimits) {
    this.next = next
    this.learner = learner
    this.inflights = new Inflights(limits.maxInflightMessages, limits.maxInflightBytes)
  }

  get paused(): boolean {
    if (this.state === 'probe') return this.#probeSent
    return this.state === 'snapshot' || this.inflights.full
  }

  /** Index of the snapshot under way, 0 if none. */
  get snapshotIndex(): number {
    return this.#snapshotIndex
  }

  becomeProbe(): void {
    // After a snapshot the peer is expected to continue behind it; a refusal corrects the guess.
    const next = this.state === 'snapshot' ? this.#snapshotIndex + 1 : 0
    this.#reset('probe')
    this.next = Math.max(this.match + 1, next)
  }

  becomeReplicate(): void {
    this.#reset('replicate')
    this.next = this.match + 1
  }

  becomeSnapshot(index: number): void {
    this.#reset('snapshot')
    this.#snapshotIndex = index
  }

  /** The peer took the one that was streamed, at `index`: at or after the one that was asked for. */
  snapshotTaken(index: number): void {
    this.#snapshotIndex = Math.max(this.#snapshotIndex, index)
    this.becomeProbe()
  }

  /** The snapshot did not arrive: look again from what is acknowledged, not before the next tick. */
  snapshotFailed(): void {
    this.#snapshotIndex = 0
    this.becomeProbe()
    this.#probeSent = true
  }

  /** An answer shows that the peer is there: a lost probe may be repeated. */
  resume(): void {
    this.#probeSent = false
  }

  sent(lastIndex: number, entries: number, bytes: number): void {
    if (this.state === 'probe') {
      this.#probeSent = true
      return
    }
    assert(this.state === 'replicate', 'an append was sent to a peer that waits for a snapshot')
    if (entries === 0) return
    this.next = lastIndex + 1
    this.inflights.add(lastIndex, bytes)
  }

  /** True if `index` is news. */
  acknowledge(index: number): boolean {
    const news = index > this.match
    if (news) {
      this.match = index
      this.#probeSent = false
    }
    this.next = Math.max(this.next, index + 1)
    return news
  }

  /**
   * The peer refused `index`, and `hint` is the best place to look next. False if the refusal is
   * older than what is known by now.
   */
  refuse(index: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (index <= this.match) return false
      // The next acknowledged position is certain: nothing is gained by stepping back further.
      this.next = this.match + 1
      return true
    }
    // In a probe only the refusal of the very entry asked about is fresh.
    if (this.state === 'snapshot' || this.next - 1 !== index) return false
    this.next = Math.max(Math.min(index, hint + 1), this.match + 1)
    this.#probeSent = false
    return true
  }

  #reset(state: 'probe' | 'replicate' | 'snapshot'): void {
    this.state = state
    this.#probeSent = false
    this.#snapshotIndex = 0
    // What told it may be lost, unless the peer has just answered.
    if (state !== 'replicate') this.commitSent = 0
    this.inflights.reset()
  }
}
