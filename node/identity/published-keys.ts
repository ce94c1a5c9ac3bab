import type { Clock, Logger } from '#cluster'
import type { KeyDocument } from './key-document.ts'
import { documentKeys, type VerificationKey } from './verification-key.ts'

const PUBLISHED_KEYS = {
  /** Older than this it is fetched again, beside the call that noticed. */
  freshMs: 10 * 60_000,
  /** Between two fetches, whoever asks: tokens with made-up keys cost nothing. */
  pauseMs: 30_000,
  /** After one that failed. */
  retryMs: 2_000,
  /** Keys that could not be fetched again for so long are not trusted any more. */
  staleMs: 24 * 60 * 60_000,
} as const

/** The keys found, or how long to wait, in whole ms, before they can be known. */
export type KeyAnswer =
  { readonly keys: readonly VerificationKey[] } | { readonly retryAfterMs: number }

/**
 * Keys that are published elsewhere: fetched when they are first needed, kept, and fetched again when
 * they are old or a token names one that is new. A provider that is away harms nobody whose key is
 * known here.
 */
export class PublishedKeys {
  readonly #document: KeyDocument
  readonly #clock: Clock
  readonly #logger: Logger
  #keys: readonly VerificationKey[] = []
  /** Monotonic, of the newest fetch that worked and of the newest that began. */
  #fetchedMs = -Infinity
  #triedMs = -Infinity
  #fetching: Promise<boolean> | null = null

  constructor(document: KeyDocument, clock: Clock, logger: Logger) {
    this.#document = document
    this.#clock = clock
    this.#logger = logger
  }

  /** `wanted` tells the keys that fit; none of those that are published may. */
  async find(wanted: (key: VerificationKey) => boolean): Promise<KeyAnswer> {
    const askedMs = this.#clock.monotonicMs()
    const known = this.#trusted(askedMs).filter(wanted)
    if (known.length > 0) {
      const isOld = askedMs - this.#fetchedMs > PUBLISHED_KEYS.freshMs
      if (isOld && this.#mayFetch(askedMs)) void this.#fetch()
      return { keys: known }
    }
    // Nobody is refused for good by a list that was asked for before this token came.
    if (this.#fetching !== null) await this.#fetching
    else if (this.#mayFetch(askedMs) && (await this.#fetch())) {
      return { keys: this.#keys.filter(wanted) }
    }
    const nowMs = this.#clock.monotonicMs()
    const found = this.#trusted(nowMs).filter(wanted)
    if (found.length > 0) return { keys: found }
    return { retryAfterMs: Math.max(1, Math.ceil(this.#triedMs + this.#pauseMs - nowMs)) }
  }

  get #pauseMs(): number {
    return this.#fetchedMs >= this.#triedMs ? PUBLISHED_KEYS.pauseMs : PUBLISHED_KEYS.retryMs
  }

  #mayFetch(nowMs: number): boolean {
    return this.#fetching === null && nowMs - this.#triedMs >= this.#pauseMs
  }

  #trusted(nowMs: number): readonly VerificationKey[] {
    return nowMs - this.#fetchedMs > PUBLISHED_KEYS.staleMs ? [] : this.#keys
  }

  #fetch(): Promise<boolean> {
    this.#triedMs = this.#clock.monotonicMs()
    this.#fetching = this.#read()
    return this.#fetching
  }

  /** Never rejects. */
  async #read(): Promise<boolean> {
    try {
      this.#keys = await documentKeys(await this.#document.read())
      this.#fetchedMs = this.#clock.monotonicMs()
      return true
    } catch (error) {
      this.#logger.warn('keys.unavailable', { from: this.#document.name, error })
      return false
    } finally {
      this.#fetching = null
    }
  }
}
