import { EventEmitter } from 'events'
import type { Clock } from './ports.ts'

/** Listeners by name, typed. What a listener throws reaches the application, never the SDK. */
export class Emitter<Events extends Record<string, unknown>> {
  readonly #emitter = new EventEmitter()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.#emitter.setMaxListeners(0)
  }

  /** Returns a function that takes the listener off again. */
  on<Name extends keyof Events & string>(
    name: Name,
    listener: (event: Events[Name]) => void,
  ): () => void {
    const guarded = (event: Events[Name]): void => {
      try {
        listener(event)
      } catch (error) {
        // On a turn of its own it is an uncaught error of the application, as it should be.
        this.#clock.defer(() => {
          throw error
        })
      }
    }
    // The prefix keeps an event called `error` from being special.
    this.#emitter.on(`on:${name}`, guarded)
    return () => {
      this.#emitter.off(`on:${name}`, guarded)
    }
  }

  emit<Name extends keyof Events & string>(name: Name, event: Events[Name]): void {
    this.#emitter.emit(`on:${name}`, event)
  }
}
