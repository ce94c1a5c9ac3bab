import { backoffMs } from './backoff.ts'
import type { ResolvedOptions } from './options.ts'
import type { Timer } from './ports.ts'
import { isFailure } from './protocol/frames.ts'
import { covers, type Receipt } from './receipts.ts'
import type { Requests } from './requests.ts'
import type { MessageDraft } from './write.ts'

/** What the queue needs from the client around it. */
export interface WaitingAcksOwner extends Requests {
  /** Nothing waits for this message any more. */
  forget(msgId: string): void
}

interface Waiting {
  readonly draft: MessageDraft
  readonly since: number
  readonly conv: string
  readonly seq: number
  /** Sends since its answer. */
  sends: number
  /** Monotonic ms at which it is sent again. */
  dueMs: number
}

/**
 * The second stage of the waiting-ack queue: messages that a majority has on disk, and nobody has
 * acknowledged. They are sent again slowly, each under its own msgId, which makes the cluster push
 * the message once more and tell how it stands; the first receipt of whatever kind ends it. What is
 * too much, or was sent too often, is let go: the message is stored, and reaches its readers by
 * their own asking.
 */
export class WaitingAcks {
  readonly #options: ResolvedOptions
  readonly #owner: WaitingAcksOwner
  readonly #waiting = new Map<string, Waiting>()
  #bytes = 0
  #timer: Timer | null = null
  #timerDueMs = Infinity

  constructor(options: ResolvedOptions, owner: WaitingAcksOwner) {
    this.#options = options
    this.#owner = owner
  }

  get size(): number {
    return this.#waiting.size
  }

  /** @param isRestored an earlier client of this device waited for it: it is due at once. */
  add(draft: MessageDraft, since: number, conv: string, seq: number, isRestored = false): void {
    const { maxPending, maxPendingBytes } = this.#options
    const now = this.#options.ports.clock.monotonicMs()
    const waiting = { draft, since, conv, seq, sends: 0, dueMs: now }
    if (!isRestored) waiting.dueMs = this.#nextDueMs(waiting)
    this.#waiting.set(draft.msgId, waiting)
    this.#bytes += draft.body.length
    while (this.#waiting.size > maxPending || this.#bytes > maxPendingBytes) this.dropOldest()
    this.#arm(waiting.dueMs)
  }

  /** Somebody else has what the receipt covers, or the cluster says that it keeps it. */
  acknowledged(receipt: Receipt): void {
    for (const waiting of this.#waiting.values()) {
      const isHere = waiting.conv === receipt.conversation
      if (isHere && covers(receipt, waiting.seq)) this.#drop(waiting)
    }
  }

  /** Makes room. Says whether there was one. */
  dropOldest(): boolean {
    const [oldest] = this.#waiting.values()
    if (oldest !== undefined) this.#drop(oldest)
    return oldest !== undefined
  }

  /** The history is another one: what was acknowledged in it is not stored anew (rule K8). */
  clear(): void {
    while (this.dropOldest());
  }

  online(): void {
    this.#sendDue()
  }

  offline(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerDueMs = Infinity
  }

  #nextDueMs({ sends }: Waiting): number {
    const { ackRetry, ports } = this.#options
    return ports.clock.monotonicMs() + backoffMs(sends, ackRetry, ports.random)
  }

  #sendDue(): void {
    this.offline()
    if (!this.#owner.isOnline()) return
    const now = this.#options.ports.clock.monotonicMs()
    let room = MAX_AT_ONCE
    let nextMs = Infinity
    for (const waiting of this.#waiting.values()) {
      if (waiting.dueMs <= now && waiting.sends >= this.#options.ackRetry.maxRetries) {
        this.#drop(waiting)
        continue
      }
      if (waiting.dueMs <= now && room-- > 0) this.#send(waiting)
      nextMs = Math.min(nextMs, Math.max(waiting.dueMs, now + PAUSE_MS))
    }
    this.#arm(nextMs)
  }

  #send(waiting: Waiting): void {
    const { draft, since } = waiting
    waiting.sends++
    waiting.dueMs = this.#nextDueMs(waiting)
    this.#owner.request({ ...draft, since }, (answer) => {
      // It is stored already, so this says nothing about it: only that asking leads to nothing.
      if (isFailure(answer) && !answer.error.retryable) this.#drop(waiting)
    })
  }

  #drop(waiting: Waiting): void {
    const { msgId, body } = waiting.draft
    if (this.#waiting.get(msgId) !== waiting) return
    this.#waiting.delete(msgId)
    this.#bytes -= body.length
    this.#owner.forget(msgId)
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#timerDueMs || !this.#owner.isOnline()) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    const { clock } = this.#options.ports
    this.#timer = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#sendDue())
  }
}

/** What is stored already must not hold up what is not: so many at once, then a pause. */
const MAX_AT_ONCE = 64
const PAUSE_MS = 200
