import type { Clock, Timer } from '#cluster'

const STORED = {
  /** Delivered to nobody within this: the sender is told that it is stored. */
  afterMs: 2_000,
  /** Messages due within this of one another are told together. */
  togetherMs: 20,
  maxWaiting: 100_000,
} as const

interface Waiting<Session> {
  readonly session: Session
  readonly conv: string
  readonly seq: number
  readonly dueMs: number
  /** Somebody has it, or it was told. */
  isSettled: boolean
}

/**
 * Which of the messages that this node answered were delivered to nobody for two seconds (rules B5,
 * NR5): that they are stored ends the sender's slow stage, and is known to this node alone. More than
 * fit are not told of: their senders send them again, as they would without it.
 */
export class StoredNotices<Session extends { readonly user: string }> {
  readonly #clock: Clock
  readonly #tell: (session: Session, conv: string, upTo: number) => void
  /** In the order in which they are due. */
  #queue: Waiting<Session>[] = []
  #first = 0
  readonly #byConversation = new Map<string, Waiting<Session>[]>()
  #timer: Timer | null = null

  constructor(clock: Clock, tell: (session: Session, conv: string, upTo: number) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** The session was answered that its message has this seq. */
  answered(session: Session, conv: string, seq: number): void {
    if (this.#queue.length - this.#first >= STORED.maxWaiting) return
    const dueMs = this.#clock.monotonicMs() + STORED.afterMs
    const waiting = { session, conv, seq, dueMs, isSettled: false }
    this.#queue.push(waiting)
    const ofConversation = this.#byConversation.get(conv)
    if (ofConversation === undefined) this.#byConversation.set(conv, [waiting])
    else ofConversation.push(waiting)
    this.#schedule()
  }

  /** The user has the conversation up to there: what others sent him is delivered. */
  delivered(conv: string, user: string, upTo: number): void {
    const waiting = this.#byConversation.get(conv)
    if (waiting === undefined) return
    for (const each of waiting) {
      if (each.seq <= upTo && each.session.user !== user) each.isSettled = true
    }
    this.#keepUnsettled(conv, waiting)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #schedule(): void {
    const next = this.#queue[this.#first]
    if (next === undefined) return
    const waitMs = Math.max(0, next.dueMs - this.#clock.monotonicMs())
    this.#timer ??= this.#clock.after(waitMs + STORED.togetherMs, () => {
      this.#timer = null
      this.#sweep()
      this.#schedule()
    })
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs()
    const due = new Map<Session, Map<string, number>>()
    for (let next = this.#queue[this.#first]; next !== undefined && next.dueMs <= now;) {
      if (!next.isSettled) {
        next.isSettled = true
        let upTos = due.get(next.session)
        if (upTos === undefined) due.set(next.session, (upTos = new Map()))
        upTos.set(next.conv, Math.max(next.seq, upTos.get(next.conv) ?? 0))
      }
      this.#first += 1
      next = this.#queue[this.#first]
    }
    this.#forgetTold()
    for (const [session, upTos] of due) {
      for (const [conv, upTo] of upTos) {
        this.#keepUnsettled(conv, this.#byConversation.get(conv) ?? [])
        this.#tell(session, conv, upTo)
      }
    }
  }

  #keepUnsettled(conv: string, waiting: readonly Waiting<Session>[]): void {
    const left = waiting.filter(({ isSettled }) => !isSettled)
    if (left.length === 0) this.#byConversation.delete(conv)
    else this.#byConversation.set(conv, left)
  }

  #forgetTold(): void {
    if (this.#first === this.#queue.length) {
      this.#queue = []
      this.#first = 0
    } else if (this.#first >= 1_024 && this.#first * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first)
      this.#first = 0
    }
  }
}
