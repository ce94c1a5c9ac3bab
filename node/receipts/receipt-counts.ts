import type { Clock, Timer } from '#cluster'
import type { CursorKind } from '../state-machine/commands.ts'
import type { StateReader } from '../state-machine/types.ts'

const COUNTS = {
  /** Nobody hears of one conversation more often. */
  everyMs: 1_000,
  /** Senders that are told counts; the one whose message is the oldest goes first. */
  maxWatched: 10_000,
} as const

/** Of one sender in one conversation. */
interface Watched {
  /** His newest message. */
  seq: number
  /** What he was told of it last. */
  delivered: number
  read: number
}

export interface CountNotice {
  readonly user: string
  readonly conv: string
  readonly kind: CursorKind
  readonly upTo: number
  readonly count: number
}

/**
 * How far the members of large conversations have got (rule B5): who wrote there by way of this node
 * hears, once a second at most and only if it changed, how many have his newest message. One walk
 * over the cursors counts for all senders of a conversation, and one conversation is counted at a
 * time. It ends when all have read the message, or the sender has gone.
 */
export class ReceiptCounts {
  readonly #clock: Clock
  readonly #state: StateReader
  readonly #tell: (notice: CountNotice) => boolean
  readonly #onError: (error: unknown) => void
  readonly #watched = new Map<string, Map<string, Watched>>()
  readonly #changed = new Set<string>()
  #size = 0
  #timer: Timer | null = null
  #isCounting = false

  /** `tell` says whether the sender still has a session here. */
  constructor(
    clock: Clock,
    state: StateReader,
    tell: (notice: CountNotice) => boolean,
    onError: (error: unknown) => void,
  ) {
    this.#clock = clock
    this.#state = state
    this.#tell = tell
    this.#onError = onError
  }

  /** A user with a session here wrote, or sent again, the message at `seq`. */
  wrote(user: string, conv: string, seq: number): void {
    const senders = this.#watched.get(conv) ?? new Map<string, Watched>()
    const known = senders.get(user)
    if (known !== undefined && known.seq > seq) return
    if (known === undefined) {
      if (this.#size >= COUNTS.maxWatched) this.#forget(this.#watched.keys().next().value!)
      this.#size += 1
    }
    senders.set(user, { seq, delivered: 0, read: 0 })
    // Behind all others: the first is the one that was written to the longest ago.
    this.#watched.delete(conv)
    this.#watched.set(conv, senders)
  }

  /** A member's cursor rose. */
  changed(conv: string): void {
    if (!this.#watched.has(conv)) return
    this.#changed.add(conv)
    this.#schedule()
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#changed.clear()
  }

  #schedule(): void {
    if (this.#isCounting || this.#changed.size === 0) return
    this.#timer ??= this.#clock.after(COUNTS.everyMs, () => {
      this.#timer = null
      this.#isCounting = true
      const changed = [...this.#changed]
      this.#changed.clear()
      void this.#countAll(changed).finally(() => {
        this.#isCounting = false
        this.#schedule()
      })
    })
  }

  async #countAll(conversations: readonly string[]): Promise<void> {
    for (const conv of conversations) await this.#count(conv).catch(this.#onError)
  }

  async #count(conv: string): Promise<void> {
    const senders = [...(this.#watched.get(conv) ?? [])]
    const seqs = senders.map(([, { seq }]) => seq)
    const counts = senders.length === 0 ? null : await this.#state.receiptCounts(conv, seqs)
    if (counts === null) return
    senders.forEach(([user, watched], i) => {
      const delivered = counts.delivered[i]!
      const read = counts.read[i]!
      const isHere =
        (delivered === watched.delivered ||
          this.#say(user, conv, 'delivered', watched, delivered)) &&
        (read === watched.read || this.#say(user, conv, 'read', watched, read))
      const isComplete = read >= counts.members
      // He may have written anew meanwhile.
      if ((!isHere || isComplete) && this.#watched.get(conv)?.get(user) === watched) {
        this.#forgetSender(conv, user)
      }
    })
  }

  #say(user: string, conv: string, kind: CursorKind, watched: Watched, count: number): boolean {
    watched[kind] = count
    return this.#tell({ user, conv, kind, upTo: watched.seq, count })
  }

  #forgetSender(conv: string, user: string): void {
    const senders = this.#watched.get(conv)!
    senders.delete(user)
    this.#size -= 1
    if (senders.size === 0) this.#watched.delete(conv)
  }

  #forget(conv: string): void {
    this.#size -= this.#watched.get(conv)!.size
    this.#watched.delete(conv)
  }
}
