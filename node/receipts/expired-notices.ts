import type { AppliedRemoval, StateReader } from '../state-machine/types.ts'

/** Removals that wait; of more than these nobody is told, as nothing depends on it. */
const MAX_WAITING = 256
/** Of one removal: members who never acknowledge anything would cost a notice each, every time. */
const MAX_NOTICES = 1_000

export interface ExpiredNotice {
  /** Who wrote the messages. */
  readonly author: string
  readonly conv: string
  /** The newest of them. */
  readonly upTo: number
  /** All of them that `by` never had, ascending; `undefined`: everything up to there went. */
  readonly seqs: readonly number[] | undefined
  /** Who never had it. */
  readonly by: string
}

/**
 * Finds out whose messages retention took away before somebody had them (rule B5). Of small
 * conversations only, and of authors whom `isHere` names: a sender who is away sees it by the gap.
 */
export class ExpiredNotices {
  readonly #state: StateReader
  readonly #isHere: (user: string) => boolean
  readonly #tell: (notice: ExpiredNotice) => void
  readonly #onError: (error: unknown) => void
  readonly #waiting: AppliedRemoval[] = []
  #isRunning = false

  constructor(
    state: StateReader,
    isHere: (user: string) => boolean,
    tell: (notice: ExpiredNotice) => void,
    onError: (error: unknown) => void,
  ) {
    this.#state = state
    this.#isHere = isHere
    this.#tell = tell
    this.#onError = onError
  }

  /** During apply: looks it up later. */
  removed(removal: AppliedRemoval): void {
    if (removal.conversation.large || this.#waiting.length >= MAX_WAITING) return
    this.#waiting.push(removal)
    if (!this.#isRunning) void this.#run()
  }

  close(): void {
    this.#waiting.length = 0
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#look(next)
      } catch (error) {
        this.#onError(error)
      }
    }
    this.#isRunning = false
  }

  async #look({ conversation: { id: conv }, from, upTo, seqs }: AppliedRemoval): Promise<void> {
    const removed = seqs === null ? null : new Set(seqs)
    const removedOf = new Map<string, number[]>()
    for (const { seq, author } of await this.#state.authorsBetween(conv, from, upTo)) {
      if (removed?.has(seq) === false || !this.#isHere(author)) continue
      const own = removedOf.get(author)
      if (own === undefined) removedOf.set(author, [seq])
      else own.push(seq)
    }
    if (removedOf.size === 0) return
    let left = MAX_NOTICES
    const receipts = (await this.#state.receiptsOf(conv)) ?? []
    for (const [author, own] of removedOf) {
      const newest = own.at(-1)!
      for (const { user: by, delivered } of receipts) {
        if (by === author || delivered >= newest || left === 0) continue
        if (!(await this.#wasHis(conv, by, newest))) continue
        left -= 1
        const lacked = seqs === null ? undefined : own.filter((seq) => seq > delivered)
        this.#tell({ author, conv, upTo: newest, seqs: lacked, by })
      }
    }
  }

  /** Who was not there when it was said does not lack it. */
  async #wasHis(conv: string, user: string, seq: number): Promise<boolean> {
    const page = await this.#state.eventsAfter(conv, user, seq - 1, 1)
    return page?.events[0]?.seq === seq || page?.gap?.reason === 'retention'
  }
}
