import type { RequestFrame } from './protocol/frames.ts'
import { LIMITS } from './protocol/limits.ts'
import { joinMsgpack } from './protocol/msgpack-codec.ts'
import { encodePlainFrame } from './protocol/plain-frame.ts'

/**
 * Puts the frames of one turn into as few WebSocket messages as the limits allow. Bounded by its
 * callers: the outbox's window and the limit on reads.
 */
export class FrameBatch {
  readonly #write: (data: Uint8Array) => void
  #frames: Uint8Array[] = []
  #bytes = 0
  #isScheduled = false

  constructor(write: (data: Uint8Array) => void) {
    this.#write = write
  }

  add(frame: RequestFrame): void {
    const data = encodePlainFrame(frame)
    const isFull = this.#frames.length >= MAX_FRAMES || this.#bytes + data.length > MAX_BYTES
    if (isFull && this.#frames.length > 0) this.flush()
    this.#frames.push(data)
    this.#bytes += data.length
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
    this.#write(joinMsgpack(frames))
  }

  clear(): void {
    this.#frames = []
    this.#bytes = 0
  }
}

/** Well below what a node takes, so that one large message does not hold up the small ones. */
const MAX_FRAMES = LIMITS.framesPerMessage / 4
const MAX_BYTES = LIMITS.messageBytes / 4
