import type { Clock, Logger, Timer } from '#cluster'
import { StoreDamagedError, type Store } from './store/store.ts'

const FIRST_AFTER_MS = 10 * 60_000
const EVERY_MS = 24 * 3_600_000

/**
 * Reads the whole store in the background, soon after the start and then once a day (rule K5):
 * ordinary reads verify what they find, and cannot miss what rot made invisible.
 */
export class StoreScrub {
  /** Wall time in ms when the last one ended, 0 before the first. */
  lastMs = 0
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #store: () => Store | null
  readonly #onDamage: (error: StoreDamagedError) => void
  #timer: Timer | null = null
  #closed = false

  constructor(
    clock: Clock,
    logger: Logger,
    store: () => Store | null,
    onDamage: (error: StoreDamagedError) => void,
  ) {
    this.#clock = clock
    this.#logger = logger
    this.#store = store
    this.#onDamage = onDamage
    this.#after(FIRST_AFTER_MS)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #after(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      this.#run().catch((error: Error) => {
        if (this.#closed) return
        if (error instanceof StoreDamagedError) this.#onDamage(error)
        else this.#logger.warn('store.scrub.failed', { message: error.message })
      })
      this.#after(EVERY_MS)
    })
  }

  async #run(): Promise<void> {
    const scrubbed = await this.#store()?.scrub()
    if (scrubbed === undefined) return
    this.lastMs = this.#clock.wallMs()
    this.#logger.info('store.scrubbed', { bytes: scrubbed.bytes })
  }
}
