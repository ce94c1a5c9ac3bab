import type { EncodedFrame } from '#protocol'
import { type EncodedMark, joinFrames } from './frame-joiner.ts'

/** How a frame stands to the mark (rule B2). */
export const FrameState = {
  /** Shows nothing of the applied state: an error, a notice of the connection. */
  none: 0,
  /** Shows applied state: the message that ends with it, or has it inside, is marked. */
  shown: 1,
  /** Shows applied state and was encoded with the mark of that moment. */
  marked: 2,
} as const
export type FrameState = (typeof FrameState)[keyof typeof FrameState]

const MAX_FRAMES_PER_MESSAGE = 512
const MAX_BYTES_PER_MESSAGE = 256 * 1024

/**
 * Frames of one session that wait for the next write, in the order in which they must leave. The
 * owner bounds it by `bytes`.
 */
export class SendQueue {
  /** Encoded size of everything queued; JSON counts characters. */
  bytes = 0
  #frames: EncodedFrame[] = []
  #states: FrameState[] = []
  /** The inbox number that the frame gets when it leaves, 0 for none. */
  #inboxes: number[] = []

  get length(): number {
    return this.#frames.length
  }

  push(frame: EncodedFrame, state: FrameState, inbox = 0): void {
    this.#frames.push(frame)
    this.#states.push(state)
    this.#inboxes.push(inbox)
    this.bytes += frame.length
  }

  /** Hands over everything as few WebSocket messages, each ending in a mark if it shows state. */
  flush(mark: EncodedMark, send: (message: EncodedFrame) => void): void {
    const frames = this.#frames
    const states = this.#states
    let from = 0
    while (from < frames.length) {
      let to = from
      let bytes = 0
      let shown = false
      do {
        bytes += (frames[to] as EncodedFrame).length
        shown ||= states[to] !== FrameState.none
        to++
      } while (
        to < frames.length &&
        to - from < MAX_FRAMES_PER_MESSAGE &&
        bytes < MAX_BYTES_PER_MESSAGE
      )
      const splice = shown && states[to - 1] !== FrameState.marked
      send(joinFrames(frames, this.#inboxes, from, to, splice ? mark : null))
      from = to
    }
    this.clear()
  }

  clear(): void {
    if (this.#frames.length > 64) {
      // An array never shrinks by itself: one burst would hold its memory for the session's life.
      this.#frames = []
      this.#states = []
      this.#inboxes = []
    } else {
      this.#frames.length = 0
      this.#states.length = 0
      this.#inboxes.length = 0
    }
    this.bytes = 0
  }
}
