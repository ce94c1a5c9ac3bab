import type { Clock } from './ports.ts'

/** Listeners by name, typed. What a listener throws reaches the application, never the SDK. */
export class Emitter<Events extends Record<string, unknown>> {
  readonly #listeners = new Map<string, Set<(event: never) => void>>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Returns a function that takes the listener off again. */
  on<Name extends keyof Events & string>(
    name: Name,
    listener: (event: Events[Name]) => void,
  ): () => void {
    // Of its own, so that one function may listen twice.
    const own = (event: Events[Name]): void => listener(event)
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(own)
    return () => {
      listeners.delete(own)
    }
  }

  has(name: keyof Events & string): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  /** To those who listen now, in the order in which they came. Whether there is anybody. */
  emit<Name extends keyof Events & string>(name: Name, event: Events[Name]): boolean {
    const listeners = [...(this.#listeners.get(name) ?? [])]
    for (const listener of listeners) {
      try {
        ;(listener as (event: Events[Name]) => void)(event)
      } catch (error) {
        // On a turn of its own it is an uncaught error of the application, as it should be.
        this.#clock.defer(() => {
          throw error
        })
      }
    }
    return listeners.length > 0
  }
}
