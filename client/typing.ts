import type { Clock, Timer } from './ports.ts'
import type { Signal } from './signals.ts'

/** Name of the signals that `Conversation.typing` sends: their body is `{on: boolean}`. */
export const TYPING = 'typing'

/** Says no more often than needed that somebody types here. */
export class TypingSender {
  readonly #clock: Clock
  readonly #send: (on: boolean) => void
  #isOn = false
  #lastMs = 0

  constructor(clock: Clock, send: (on: boolean) => void) {
    this.#clock = clock
    this.#send = send
  }

  /** At every key. */
  set(on: boolean): void {
    const now = this.#clock.monotonicMs()
    const isNew = on !== this.#isOn || (on && now - this.#lastMs >= REPEAT_MS)
    if (!isNew) return
    this.#isOn = on
    this.#lastMs = now
    this.#send(on)
  }
}

/** Who types at present: who stopped saying so, or went away, is taken off after a while. */
export class TypingUsers {
  readonly #clock: Clock
  readonly #listener: (users: readonly string[]) => void
  readonly #timers = new Map<string, Timer>()

  constructor(clock: Clock, listener: (users: readonly string[]) => void) {
    this.#clock = clock
    this.#listener = listener
  }

  receive({ from, body }: Signal): void {
    const isOn = typeof body === 'object' && body !== null && 'on' in body && body.on === true
    const timer = this.#timers.get(from)
    timer?.cancel()
    this.#timers.delete(from)
    if (isOn && this.#timers.size < MAX_USERS) {
      this.#timers.set(
        from,
        this.#clock.after(FORGET_MS, () => {
          this.#timers.delete(from)
          this.#tell()
        }),
      )
    }
    if (isOn !== (timer !== undefined)) this.#tell()
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  #tell(): void {
    this.#listener([...this.#timers.keys()])
  }
}

const REPEAT_MS = 3000
/** Two repetitions may be lost. */
const FORGET_MS = 3 * REPEAT_MS
const MAX_USERS = 100
