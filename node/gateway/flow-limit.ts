/** How much at once, in seconds of the rate. */
const BURST_SECONDS = 5

export interface FlowRates {
  /** `null`: as many as come. */
  readonly framesPerSecond: number | null
  readonly bytesPerSecond: number | null
  /** What one message may hold is always let through to a connection that has been quiet. */
  readonly maxMessageBytes: number
}

/**
 * What one connection may send. Above the rate frames are refused, and count all the same: who goes on
 * in spite of that is as far below nothing as he was allowed above it, and is sent away.
 */
export class FlowLimit {
  readonly #frames: Flow
  readonly #bytes: Flow

  constructor({ framesPerSecond, bytesPerSecond, maxMessageBytes }: FlowRates, nowMs: number) {
    this.#frames = new Flow(framesPerSecond, 1, nowMs)
    this.#bytes = new Flow(bytesPerSecond, maxMessageBytes, nowMs)
  }

  /** Counts a message; `false`: its sender is to be sent away, unread. */
  message(bytes: number, nowMs: number): boolean {
    return this.#bytes.take(bytes, nowMs)
  }

  /** Counts a frame of it; `false`: the same. */
  frame(nowMs: number): boolean {
    return this.#frames.take(1, nowMs)
  }

  /** Which rate refuses the frame that was counted last, and for how long; `null`: neither. */
  refusal(): { readonly why: 'frame_rate' | 'byte_rate'; readonly retryAfterMs: number } | null {
    const [frames, bytes] = [this.#frames.debtMs(), this.#bytes.debtMs()]
    if (frames === 0 && bytes === 0) return null
    return frames >= bytes
      ? { why: 'frame_rate', retryAfterMs: frames }
      : { why: 'byte_rate', retryAfterMs: bytes }
  }
}

class Flow {
  readonly #perMs: number
  readonly #capacity: number
  #left: number
  #updatedMs: number

  constructor(perSecond: number | null, atLeast: number, nowMs: number) {
    this.#perMs = (perSecond ?? Infinity) / 1_000
    this.#capacity = Math.max(atLeast, (perSecond ?? Infinity) * BURST_SECONDS)
    this.#left = this.#capacity
    this.#updatedMs = nowMs
  }

  take(count: number, nowMs: number): boolean {
    if (this.#capacity === Infinity) return true
    const gained = (nowMs - this.#updatedMs) * this.#perMs
    this.#left = Math.min(this.#capacity, this.#left + gained) - count
    this.#updatedMs = nowMs
    return this.#left >= -this.#capacity
  }

  debtMs(): number {
    return this.#left >= 0 ? 0 : Math.ceil(-this.#left / this.#perMs)
  }
}
