/** Catches SIGHUP from the moment it is made: one that comes before `listen` is told then. */
export class Hangups {
  #listener: (() => void) | null = null
  #isWaiting = false

  constructor() {
    process.on('SIGHUP', () => {
      if (this.#listener === null) this.#isWaiting = true
      else this.#listener()
    })
  }

  listen(listener: () => void): void {
    this.#listener = listener
    if (this.#isWaiting) listener()
    this.#isWaiting = false
  }
}
