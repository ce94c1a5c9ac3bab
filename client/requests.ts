import type { RequestFrame, ServerFrame } from './protocol/frames.ts'

/** A request as its maker knows it; the session gives it its id. */
export type WithoutId = RequestFrame extends infer Frame
  ? Frame extends { id: unknown }
    ? Omit<Frame, 'id'>
    : never
  : never

/** The way of requests to the node there is. */
export interface Requests {
  isOnline(): boolean
  /** Sends a request under a new id; `onAnswer` is called at most once, while this session lasts. */
  request(frame: WithoutId, onAnswer: (answer: ServerFrame) => void): void
}
