import type { Prng } from '../prng.ts'

export interface LinkOptions {
  /** One way, at least. */
  readonly delayMs: number
  /** Added at random, most often little. */
  readonly jitterMs: number
  /** Share of deliveries that TCP had to repeat: late by a retransmission. */
  readonly lossShare: number
  /** Share of deliveries with one bit flipped past TCP's checksum. */
  readonly corruptShare: number
  /** Share of deliveries cut in two at a random byte. */
  readonly splitShare: number
}

/** A retransmission takes at least this, in ms. */
const RETRANSMIT_MS = 200
const LONGEST_RETRANSMIT_MS = 1_600
/** On a lossy path a segment may be lost so often in a row; TCP doubles its wait each time. */
const MOST_LOSSES = 7
/** Frames that a faulty box on the path remembers. */
const REMEMBERED_FRAMES = 32

/** What waits for a link to be whole again. */
export interface Waiting {
  resumeAfter(delayMs: number): void
}

/**
 * One direction between two hosts. While it is cut nothing arrives and nobody is told: what was sent
 * waits in the sender's kernel, as TCP has it, and comes through some time after the cut is healed.
 */
export class SimLink {
  readonly from: string
  readonly to: string
  readonly options: LinkOptions
  readonly #prng: Prng
  readonly #waiting = new Set<Waiting>()
  #cutAtMs: number | null = null
  /** Until then nothing arrives; set by a clogged path. */
  cloggedUntilMs = 0
  /** Added to every delivery; set by a slow path. */
  slowMs = 0
  /** Share of deliveries that are lost again and again, each on its connection alone; set by a lossy path. */
  stallShare = 0
  /** Share of frames behind which one comes that came before, also of earlier connections. */
  replayShare = 0
  /** Whether frames are remembered, so that they can be replayed. */
  remembers = false
  /** Loses and corrupts nothing any more. */
  isClean = false
  /** Deliveries that a cut or a clogged path held up: evidence that it bit. */
  heldUp = 0
  /** Deliveries that took the slow path. */
  slowed = 0
  /** Deliveries that were lost more than once. */
  stalled = 0
  /** Frames that came once more. */
  replayed = 0
  /** Deliveries to an end that had forgotten the connection. */
  swallowed = 0
  readonly #remembered: Uint8Array[] = []
  #frames = 0

  constructor(from: string, to: string, options: LinkOptions, prng: Prng) {
    this.from = from
    this.to = to
    this.options = options
    this.#prng = prng
  }

  get isCut(): boolean {
    return this.#cutAtMs !== null
  }

  cut(nowMs: number): void {
    this.#cutAtMs ??= nowMs
  }

  /** TCP tries again at growing intervals, so the first byte comes through somewhat later. */
  heal(nowMs: number): void {
    if (this.#cutAtMs === null) return
    const longestMs = Math.min(LONGEST_RETRANSMIT_MS, nowMs - this.#cutAtMs)
    this.#cutAtMs = null
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const one of waiting) one.resumeAfter(this.#prng.float() * longestMs)
  }

  /** Calls `resumeAfter` once the cut is healed. */
  wait(waiting: Waiting): void {
    this.heldUp += 1
    this.#waiting.add(waiting)
  }

  forget(waiting: Waiting): void {
    this.#waiting.delete(waiting)
  }

  /** How long the next bytes take. */
  transitMs(): number {
    const { delayMs, jitterMs, lossShare } = this.options
    if (this.slowMs > 0) this.slowed += 1
    const uniform = this.#prng.float()
    const late =
      !this.isClean && this.#prng.chance(lossShare) ? RETRANSMIT_MS * (1 + this.#prng.below(3)) : 0
    const stallMs = this.stallShare === 0 ? 0 : this.#stallMs()
    return delayMs + this.slowMs + stallMs + jitterMs * uniform * uniform * uniform + late
  }

  /** `frame` passes: one that the box on the path sends after it, `null` for none. */
  replay(frame: Uint8Array): Uint8Array | null {
    this.#remembered[this.#frames++ % REMEMBERED_FRAMES] = frame
    if (!this.#prng.chance(this.replayShare)) return null
    this.replayed += 1
    return this.#prng.pick(this.#remembered)
  }

  corrupts(): boolean {
    return !this.isClean && this.#prng.chance(this.options.corruptShare)
  }

  #stallMs(): number {
    if (!this.#prng.chance(this.stallShare)) return 0
    this.stalled += 1
    return RETRANSMIT_MS * (2 ** (1 + this.#prng.below(MOST_LOSSES)) - 1)
  }

  chance(share: number): boolean {
    return this.#prng.chance(share)
  }

  below(count: number): number {
    return this.#prng.below(count)
  }
}
