import { CloseCode } from '#protocol'
import { drainingError, type GatewayContext, spreadMs, uniform } from './gateway-context.ts'
import { FrameState } from './send-queue.ts'
import type { Session } from './session.ts'

/** A client gets this long after its `reconnectAfterMs` to leave by itself. */
const GRACE_MS = 200
const STEP_MS = 50

/**
 * The end of a node's sessions: each is told at once when and where to go, all are closed with 1012
 * in that order, spread so that the other nodes are not stormed, none before its requests were
 * answered unless time runs out.
 */
export class Departures {
  /** Settled once every session has gone. */
  readonly finished: Promise<void>
  readonly #context: GatewayContext
  readonly #deadlineMs: number
  /** When each is closed, in monotonic ms. */
  readonly #due = new Map<Session, number>()
  #resolve: () => void = () => {}

  constructor(context: GatewayContext, sessions: Iterable<Session>, timeoutMs: number) {
    this.#context = context
    this.finished = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const { backend, clock, random } = context
    const nowMs = clock.monotonicMs()
    this.#deadlineMs = nowMs + timeoutMs
    const all = [...sessions]
    const overMs = Math.min(timeoutMs / 2, spreadMs(all.length))
    const others = backend.refuges()
    all.forEach((session, at) => {
      if (session.state !== 'open') {
        session.endWith(drainingError(backend), CloseCode.drain, 'drain')
        return
      }
      const reconnectAfterMs = Math.round(uniform(random, overMs))
      const url = others[at % others.length]?.url
      session.send({ t: 'goaway:N', reconnectAfterMs, url }, FrameState.none)
      context.failpoints.hit('gateway.goawaySent')
      this.#due.set(session, nowMs + reconnectAfterMs + GRACE_MS)
    })
    this.#step()
  }

  /** Who was not yet made to leave may stay, though most go where they were sent. */
  cancel(): void {
    for (const session of [...this.#due.keys()]) {
      if (session.state === 'open') this.#due.delete(session)
    }
  }

  /** The session is over, whoever ended it. */
  gone(session: Session): void {
    this.#due.delete(session)
  }

  #step(): void {
    const nowMs = this.#context.clock.monotonicMs()
    for (const [session, dueMs] of [...this.#due]) {
      if (nowMs < Math.min(dueMs, this.#deadlineMs)) continue
      session.leave()
      if (session.inFlight > 0 && nowMs < this.#deadlineMs) continue
      session.end(CloseCode.drain, 'the node goes away', 'drain')
      this.#due.delete(session)
    }
    if (this.#due.size === 0) this.#resolve()
    else this.#context.clock.after(STEP_MS, () => this.#step())
  }
}
