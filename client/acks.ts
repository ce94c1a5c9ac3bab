import { ANSWER_MS } from './outbox.ts'
import type { ResolvedOptions } from './options.ts'
import type { Timer } from './ports.ts'
import { backoffMs } from './backoff.ts'
import { isFailure, type AckRequest } from './protocol/frames.ts'
import type { Requests } from './requests.ts'

type Ack = AckRequest['acks'][number]

/** How far one kind of acknowledgement is to go in one conversation, and how far it went. */
interface Due {
  readonly conv: string
  readonly kind: Ack['kind']
  upTo: number
  /** On the wire of this session. */
  asked: number
}

/**
 * Tells the cluster what arrived and what was read: together, after `ackDelayMs` or `ackBatch`
 * receipts, whichever is first. An acknowledgement covers everything before it, so a later one
 * stands for an earlier one and a lost frame costs nothing but time. What was not answered goes out
 * again on the next session; nothing here makes it urgent to have one.
 */
export class Acks {
  readonly #options: ResolvedOptions
  readonly #owner: Requests
  readonly #due = new Map<string, Due>()
  #inbox = 0
  #inboxAsked = 0
  #inboxAnswered = 0
  /** Receipts since the last frame. */
  #count = 0
  #failures = 0
  #timer: Timer | null = null
  /** One for every frame without an answer. */
  readonly #answerTimers = new Set<Timer>()

  constructor(options: ResolvedOptions, owner: Requests) {
    this.#options = options
    this.#owner = owner
  }

  /** This device has everything up to `seq`, durably if its store is. */
  delivered(conv: string, seq: number): void {
    this.#add(conv, 'delivered', seq)
  }

  /** Its user has read everything up to `seq`. */
  read(conv: string, seq: number): void {
    this.#add(conv, 'read', seq)
  }

  /**
   * This device has everything of its inbox up to this number (rule B4). The number of an own
   * message is worth no frame: it goes along with the next.
   */
  inbox(number: number, isReceived: boolean): void {
    if (number <= this.#inbox) return
    this.#inbox = number
    // A node sends whole events until 1,000 of them are not acknowledged: well before that.
    if (number - this.#inboxAsked >= INBOX_BATCH && this.#failures === 0) this.flush()
    else if (isReceived) this.#arm(this.#options.ackDelayMs)
  }

  /** A session stands: what the last one did not answer is asked again. */
  online(): void {
    for (const due of this.#due.values()) due.asked = 0
    this.#inboxAsked = this.#inboxAnswered
    this.#failures = 0
    this.flush()
  }

  offline(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const timer of this.#answerTimers) timer.cancel()
    this.#answerTimers.clear()
  }

  /** Positions in a history that is no more (rule K8). */
  forget(): void {
    this.#due.clear()
    this.#inbox = 0
    this.#inboxAsked = 0
    this.#inboxAnswered = 0
  }

  /** Sends what is due now, without waiting for more. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#count = 0
    if (!this.#owner.isOnline()) return
    const dues = [...this.#due.values()].filter(({ upTo, asked }) => upTo > asked)
    const { ackBatch } = this.#options
    for (let at = 0; at < dues.length; at += ackBatch) this.#send(dues.slice(at, at + ackBatch))
    if (this.#inbox > this.#inboxAsked) this.#send([])
  }

  #add(conv: string, kind: Ack['kind'], seq: number): void {
    const key = `${kind} ${conv}`
    const due = this.#due.get(key)
    if (due === undefined) {
      // Who is so far behind with answers says it later: the oldest conversations come again.
      if (this.#due.size >= MAX_DUE) this.#due.delete(this.#due.keys().next().value!)
      this.#due.set(key, { conv, kind, upTo: seq, asked: 0 })
    } else if (seq > due.upTo) due.upTo = seq
    else return
    this.#counted()
  }

  #counted(): void {
    this.#count++
    if (this.#count >= this.#options.ackBatch && this.#failures === 0) this.flush()
    else this.#arm(this.#options.ackDelayMs)
  }

  #arm(delayMs: number): void {
    if (!this.#owner.isOnline()) return
    this.#timer ??= this.#options.ports.clock.after(delayMs, () => this.flush())
  }

  #send(dues: readonly Due[]): void {
    const acks = dues.map(({ conv, kind, upTo }) => ({ conv, kind, upTo }))
    for (const due of dues) due.asked = due.upTo
    const inbox = this.#inbox > this.#inboxAsked ? this.#inbox : undefined
    this.#inboxAsked = this.#inbox
    const timer = this.#options.ports.clock.after(ANSWER_MS, () => {
      this.#answerTimers.delete(timer)
      this.#again(dues, 0)
    })
    this.#answerTimers.add(timer)
    this.#owner.request({ t: 'ack:R', acks, inbox }, (answer) => {
      timer.cancel()
      this.#answerTimers.delete(timer)
      if (!isFailure(answer)) {
        this.#inboxAnswered = Math.max(this.#inboxAnswered, inbox ?? 0)
        return this.#answered(dues, acks)
      }
      if (answer.error.retryable) return this.#again(dues, answer.error.retryAfterMs)
      // One conversation that one has left must not take the others down with it.
      if (dues.length > 1) for (const due of dues) this.#send([due])
      else this.#answered(dues, acks)
    })
  }

  #answered(dues: readonly Due[], acks: readonly Ack[]): void {
    this.#failures = 0
    for (const [at, due] of dues.entries()) {
      if (due.upTo === acks[at]!.upTo) this.#due.delete(`${due.kind} ${due.conv}`)
    }
  }

  #again(dues: readonly Due[], retryAfterMs: number | undefined): void {
    for (const due of dues) due.asked = 0
    this.#inboxAsked = this.#inboxAnswered
    const { ports, retry } = this.#options
    this.#arm(retryAfterMs ?? backoffMs(this.#failures++, retry, ports.random))
  }
}

const INBOX_BATCH = 250
/** Conversations and kinds without an answer. */
const MAX_DUE = 10_000
