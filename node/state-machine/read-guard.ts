/** Counts reads under way on a state, so that its store is not closed below them. */
export class ReadGuard {
  #active = 0
  #idle: (() => void)[] = []

  enter(): void {
    this.#active += 1
  }

  leave(): void {
    this.#active -= 1
    if (this.#active > 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }

  /** Resolves when no read is under way. */
  idle(): Promise<void> {
    if (this.#active === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }
}
