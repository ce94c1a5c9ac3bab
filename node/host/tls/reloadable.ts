import type { Logger } from '#cluster'
import type { Reloaded } from '../../security-report.ts'

export interface ReloadOutcome {
  readonly what: Reloaded
  readonly outcome: 'unchanged' | 'changed' | 'failed'
  /** Why it failed, and what goes on meanwhile. */
  readonly message?: string
}

/**
 * What was made from files, and is made from them anew. Files that cannot be used change nothing:
 * what was read before stays in force, and `fault` says why.
 */
export class Reloadable<T extends { readonly digest: string }> {
  readonly what: Reloaded
  readonly #read: () => Promise<T>
  readonly #logger: Logger
  readonly #listeners: ((next: T) => void)[] = []
  #current: T
  #fault: string | null = null
  #doubted = false
  #last: Promise<unknown> = Promise.resolve()

  /** Rejects if they cannot be used the first time. `read` is called for each try. */
  static async open<T extends { readonly digest: string }>(
    what: Reloaded,
    read: () => Promise<T>,
    logger: Logger,
  ): Promise<Reloadable<T>> {
    return new Reloadable(what, read, logger, await read())
  }

  private constructor(what: Reloaded, read: () => Promise<T>, logger: Logger, first: T) {
    this.what = what
    this.#read = read
    this.#logger = logger
    this.#current = first
  }

  get current(): T {
    return this.#current
  }

  /** What is wrong with the files as they are now; `null`: they are in force. */
  get fault(): string | null {
    return this.#fault
  }

  onChange(listener: (next: T) => void): void {
    this.#listeners.push(listener)
  }

  /**
   * One at a time; never rejects. With `isPatient` files that cannot be used are looked at a second
   * time before they count: a certificate and its key may be on their way.
   */
  reload({ isPatient = false } = {}): Promise<ReloadOutcome> {
    const next = this.#last.then(() => this.#reload(isPatient))
    this.#last = next
    return next
  }

  async #reload(isPatient: boolean): Promise<ReloadOutcome> {
    const { what } = this
    try {
      const next = await this.#read()
      const isNew = next.digest !== this.#current.digest
      if (isNew) {
        for (const listener of this.#listeners) listener(next)
        this.#current = next
        this.#logger.info('security.reloaded', { what })
      }
      this.#fault = null
      this.#doubted = false
      return { what, outcome: isNew ? 'changed' : 'unchanged' }
    } catch (error) {
      if (isPatient && !this.#doubted) {
        this.#doubted = true
        return { what, outcome: 'unchanged' }
      }
      const message = `${(error as Error).message}; what was read before stays in force`
      if (message !== this.#fault) this.#logger.error('security.reload_failed', { what, message })
      this.#fault = message
      return { what, outcome: 'failed', message }
    }
  }
}
