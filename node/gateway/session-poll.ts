import type { Clock, Timer } from '#cluster'
import type { Session } from './session.ts'

/** Sessions that are looked at every few ms until they need it no more. */
export class SessionPoll {
  readonly #clock: Clock
  readonly #everyMs: number
  /** Whether the session is done; it may be added again from within. */
  readonly #look: (session: Session) => boolean
  readonly #watched = new Set<Session>()
  #timer: Timer | null = null

  constructor(clock: Clock, everyMs: number, look: (session: Session) => boolean) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#look = look
  }

  get size(): number {
    return this.#watched.size
  }

  add(session: Session): void {
    this.#watched.add(session)
    this.#timer ??= this.#clock.after(this.#everyMs, this.#run)
  }

  delete(session: Session): void {
    this.#watched.delete(session)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#watched.clear()
  }

  readonly #run = (): void => {
    this.#timer = null
    const watched = [...this.#watched]
    this.#watched.clear()
    for (const session of watched) if (!this.#look(session)) this.add(session)
  }
}
