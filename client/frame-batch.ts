import { encodeFrame, joinFrames, type EncodedFrame, type Subprotocol } from './protocol/codec.ts'
import type { RequestFrame } from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'

/**
 * Puts the frames of one turn into as few WebSocket messages as the limits allow. Bounded by its
 * callers: the outbox's window and the limit on reads.
 */
export class FrameBatch {
  readonly #subprotocol: Subprotocol
  readonly #write: (data: EncodedFrame) => void
  #frames: EncodedFrame[] = []
  #bytes = 0
  #isScheduled = false

  constructor(subprotocol: Subprotocol, write: (data: EncodedFrame) => void) {
    this.#subprotocol = subprotocol
    this.#write = write
  }

  add(frame: RequestFrame): void {
    const data = encodeFrame(frame, this.#subprotocol)
    // A character of text is at most three bytes of UTF-8.
    const size = typeof data === 'string' ? data.length * 3 : data.length
    const isFull = this.#frames.length >= MAX_FRAMES || this.#bytes + size > MAX_BYTES
    if (isFull && this.#frames.length > 0) this.flush()
    this.#frames.push(data)
    this.#bytes += size
    if (this.#isScheduled) return
    this.#isScheduled = true
    // A microtask: after the caller's own turn, before anything else happens.
    void Promise.resolve().then(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  flush(): void {
    if (this.#frames.length === 0) return
    const frames = this.#frames
    this.clear()
    this.#write(joinFrames(frames))
  }

  clear(): void {
    this.#frames = []
    this.#bytes = 0
  }
}

/** Well below what a node takes, so that one large message does not hold up the small ones. */
const MAX_FRAMES = LIMITS.framesPerMessage / 4
const MAX_BYTES = LIMITS.messageBytes / 4
