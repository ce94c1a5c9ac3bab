import { backoffMs } from './backoff.ts'
import { toChatEvent, type ChatEvent } from './chat-event.ts'
import { ChatError } from './errors.ts'
import type { EventQueue } from './event-queue.ts'
import type { ClientPorts, Timer } from './ports.ts'
import type { Gap, PullAnswer, WireEvent } from './protocol/frames.ts'

/** What a subscription needs from the client around it. */
export interface SubscriptionOwner {
  readonly ports: ClientPorts
  /** Asks until there is an answer or a final refusal. */
  pull(conversation: string, after: number, limit: number): Promise<PullAnswer>
  onGap(conversation: string, gap: Gap): void
  /** Events that this device holds already, without a hole behind `after`. */
  received?(conversation: string, after: number, limit: number): readonly WireEvent[]
}

/**
 * One conversation's events in order, without a hole, each once (rules B1, B7). Pushed events are
 * taken while they follow on the last one; at the first that does not, everything since is pulled.
 * A hole is passed only if a node says that it is one for good (`gap`).
 */
export class Subscription {
  readonly conversation: string
  readonly #owner: SubscriptionOwner
  readonly #queue: EventQueue<ChatEvent>
  readonly #onFailed: (error: Error) => void
  /** Seq of the last event handed to the queue. */
  #cursor: number
  /** Highest seq that is known to exist. */
  #head: number
  #mustLook = false
  #isPulling = false
  #isClosed = false
  #failures = 0
  #timer: Timer | null = null

  constructor(
    conversation: string,
    after: number,
    owner: SubscriptionOwner,
    queue: EventQueue<ChatEvent>,
    onFailed: (error: Error) => void,
  ) {
    this.conversation = conversation
    this.#cursor = after
    this.#head = after
    this.#owner = owner
    this.#queue = queue
    this.#onFailed = onFailed
  }

  get cursor(): number {
    return this.#cursor
  }

  /** A pushed event, or the place that an own message got. */
  receive(event: WireEvent): void {
    if (this.#isClosed || event.seq <= this.#cursor) return
    this.#head = Math.max(this.#head, event.seq)
    const follows = event.seq === this.#cursor + 1
    if (follows && !this.#isPulling && this.#queue.room > 0) this.#hand(event)
    else this.fill()
  }

  /** A notify: there is something up to `seq`. */
  notify(seq: number): void {
    if (seq <= this.#head) return
    this.#head = seq
    this.fill()
  }

  /** Looks whether there is more, without being told: after a new session, now and then. */
  look(): void {
    this.#mustLook = true
    this.fill()
  }

  /** The history is another one now (rule K8): goes on after `head`. */
  restart(head: number): void {
    this.#cursor = head
    this.#head = head
  }

  /** Pulls what is missing, as far as there is room for it. */
  fill(): void {
    if (this.#isPulling || this.#isClosed || this.#timer !== null) return
    const { room } = this.#queue
    for (const event of this.#owner.received?.(this.conversation, this.#cursor, room) ?? []) {
      this.#hand(event)
    }
    this.#head = Math.max(this.#head, this.#cursor)
    if (!this.#mustLook && this.#cursor >= this.#head) return
    if (this.#queue.room === 0) return
    this.#isPulling = true
    this.#mustLook = false
    const limit = Math.min(this.#queue.room, PAGE_EVENTS)
    const after = this.#cursor
    this.#owner.pull(this.conversation, after, limit).then(
      (page) => {
        this.#isPulling = false
        if (!this.#isClosed && this.#cursor === after) this.#takePage(page)
        this.fill()
      },
      (error: unknown) => {
        this.#isPulling = false
        this.#fail(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
  }

  #takePage(page: PullAnswer): void {
    const from = this.#cursor
    const gap = page.gap ?? null
    let reported = false
    const pass = (to: number): boolean => {
      if (gap === null || gap.from > this.#cursor + 1 || gap.to < to) return false
      if (!reported) this.#owner.onGap(this.conversation, gap)
      reported = true
      this.#cursor = to
      return true
    }
    for (const event of page.events) {
      if (event.seq <= this.#cursor) continue
      if (event.seq !== this.#cursor + 1 && !pass(event.seq - 1)) {
        return this.#fail(incomplete(this.conversation, this.#cursor, event.seq))
      }
      if (this.#queue.room === 0) return
      this.#hand(event)
    }
    if (page.next > this.#cursor && !pass(page.next)) {
      return this.#fail(incomplete(this.conversation, this.#cursor, page.next + 1))
    }
    if (page.hasMore) this.#head = Math.max(this.#head, this.#cursor + 1)
    if (this.#cursor > from) {
      this.#failures = 0
    } else if (this.#cursor < this.#head) {
      // Announced, but this node does not have it yet.
      const { clock, random } = this.#owner.ports
      this.#timer = clock.after(backoffMs(this.#failures++, RETRY, random), () => {
        this.#timer = null
        this.fill()
      })
    }
  }

  #hand(event: WireEvent): void {
    this.#cursor = event.seq
    this.#queue.put(toChatEvent(this.conversation, event))
  }

  #fail(error: Error): void {
    if (this.#isClosed) return
    this.close()
    this.#onFailed(error)
  }
}

const PAGE_EVENTS = 200
const RETRY = {
  initialDelayMs: 50,
  multiplier: 2,
  maxDelayMs: 2000,
  maxRetries: Infinity,
  jitter: 0.3,
}

const incomplete = (conversation: string, cursor: number, seq: number): ChatError =>
  new ChatError('INTERNAL', `${conversation}: a node left out what is between ${cursor} and ${seq}`)
