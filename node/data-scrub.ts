import {
  type Clock,
  CounterCell,
  LogDamagedError,
  type Logger,
  type LogStorage,
  type Timer,
} from '#cluster'
import { StoreDamagedError, type Store } from './store/store.ts'

const FIRST_AFTER_MS = 10 * 60_000

export interface ScrubOptions {
  /** From the end of one to the beginning of the next, in ms; the first comes after ten minutes. */
  readonly everyMs: number
  /** Of the log; the store is read in slices of a millisecond. */
  readonly bytesPerSecond: number
}

export const DEFAULT_SCRUB_OPTIONS: ScrubOptions = {
  everyMs: 24 * 3_600_000,
  bytesPerSecond: 8 * 1024 * 1024,
}

/** What is read, and who hears of damage: there is nothing to go on with in either. */
export interface ScrubHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: LogStorage
  store(): Store | null
  logDamaged(error: LogDamagedError): void
  storeDamaged(error: StoreDamagedError): void
}

/** How far the reading of one part has come. */
export class Scrubbed {
  /** Of all of them so far, in this life. */
  readonly bytes = new CounterCell()
  /** Those that ended with an error that is none of the data. */
  readonly failures = new CounterCell()
  /** Wall time in ms when the last one ended, 0 before the first. */
  lastMs = 0
}

/**
 * Reads the whole log and the whole store in the background, soon after the start and then once a day
 * (rule K5): ordinary reads verify what they find, and what nobody reads rots unseen until it is
 * needed. Damage is met here before anybody is served it.
 */
export class DataScrub {
  readonly log = new Scrubbed()
  readonly store = new Scrubbed()
  readonly #options: ScrubOptions
  readonly #host: ScrubHost
  #timer: Timer | null = null
  #closed = false

  constructor(options: ScrubOptions, host: ScrubHost) {
    this.#options = options
    this.#host = host
    this.#after(Math.min(FIRST_AFTER_MS, options.everyMs))
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #after(delayMs: number): void {
    this.#timer = this.#host.clock.after(delayMs, () => {
      void this.#run().then(() => {
        if (!this.#closed) this.#after(this.#options.everyMs)
      })
    })
  }

  async #run(): Promise<void> {
    const host = this.#host
    await this.#scrub('log', () => host.log.scrub((bytes) => this.#pace(bytes)))
    if (!this.#closed) await this.#scrub('store', async () => (await host.store()?.scrub()) ?? null)
  }

  /** Never rejects. */
  async #scrub(
    part: 'log' | 'store',
    read: () => Promise<{ bytes: number } | null>,
  ): Promise<void> {
    const { clock, logger } = this.#host
    try {
      const scrubbed = await read()
      if (this.#closed || scrubbed === null) return
      this[part].bytes.add(scrubbed.bytes)
      this[part].lastMs = clock.wallMs()
      logger.info(`${part}.scrubbed`, { bytes: scrubbed.bytes })
    } catch (error) {
      if (this.#closed) return
      if (error instanceof LogDamagedError) this.#host.logDamaged(error)
      else if (error instanceof StoreDamagedError) this.#host.storeDamaged(error)
      else {
        this[part].failures.add()
        logger.warn(`${part}.scrub.failed`, { message: (error as Error).message })
      }
    }
  }

  /** One whose node ends waits no more. */
  #pace(bytes: number): Promise<void> {
    const delayMs = (bytes * 1_000) / this.#options.bytesPerSecond
    return new Promise((resolve) => this.#host.clock.after(delayMs, resolve))
  }
}
