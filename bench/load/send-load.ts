import { setTimeout as sleep } from 'node:timers/promises'
import { encodeBody } from '#protocol'
import { Ledger, messageIdOf } from './ledger.ts'
import type { Load, Verdict } from './load.ts'
import { type LoadTarget, receiverName } from './load-target.ts'
import type { Meter } from './meter.ts'
import { type Pace, type Paced, Pacer } from './pacer.ts'
import { readBack } from './read-back.ts'
import { type Answer, Sender, type Sent } from './sender.ts'

export interface Shape {
  /** Sessions that send, each a user of its own. */
  readonly clients: number
  /** Shared out among them, each with a receiver of its own for that sender. */
  readonly conversations: number
  readonly bodyBytes: number
}

/** Who hears of each message; times are when it was meant to leave, and when it did or was answered. */
export interface SendListener {
  readonly began: (msgId: string, intendedMs: number, nowMs: number) => void
  readonly acknowledged: (msgId: string, intendedMs: number, nowMs: number) => void
  readonly refused: (msgId: string, intendedMs: number, code: string) => void
  readonly unknown: (msgId: string, intendedMs: number) => void
}

/** Each is kept note of: past this many a load ends. */
const MOST_MESSAGES = 20_000_000
/** Without an answer: past this many the load is far more than this cluster takes. */
const MOST_UNDER_WAY = 100_000
/** After an error its place stays empty so long: refusals in a closed loop are no load. */
const AFTER_ERROR_MS = 20
const ANSWER_MS = 15_000
const NOT_SENT: Answer = { kind: 'refused', code: 'NOT_SENT' }

/** Users who send messages at a pace; what became of each is in the ledger. */
export class SendLoad implements Load, Paced {
  readonly ledger: Ledger
  readonly #target: LoadTarget
  readonly #clients: number
  readonly #conversations: number
  readonly #receiverNames: readonly string[]
  readonly #body: Uint8Array
  readonly #senders: readonly Sender[]
  readonly #full = new AbortController()
  #listener: SendListener | null = null
  #pacer: Pacer | null = null
  #next = 0
  #underWay = 0

  constructor(target: LoadTarget, { clients, conversations, bodyBytes }: Shape) {
    this.#target = target
    this.#clients = Math.min(clients, conversations)
    this.#conversations = conversations
    const receivers = Math.ceil(conversations / this.#clients)
    this.#receiverNames = Array.from({ length: receivers }, (_, at) =>
      receiverName(target.prefix, at),
    )
    const body = encodeBody('x'.repeat(bodyBytes))
    this.#body = body
    this.ledger = new Ledger(conversations)
    this.#senders = Array.from(
      { length: this.#clients },
      (_, at) =>
        new Sender({
          ...{ target, at, body },
          answered: (sent, answer, nowMs) => this.#answered(sent, answer, nowMs),
          turned: () => this.#pacer?.refill(),
        }),
    )
  }

  get receivers(): readonly string[] {
    return this.#receiverNames
  }

  /** Conversations of a receiver. */
  conversationsOf(receiver: number): number[] {
    const from = receiver * this.#clients
    const count = Math.min(this.#clients, this.#conversations - from)
    return Array.from({ length: count }, (_, at) => from + at)
  }

  get underWay(): number {
    return this.#underWay
  }

  async open(): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.open()))
  }

  async run(meter: Meter, pace: Pace, until: { untilMs: number; signal: AbortSignal }) {
    const listener: SendListener = {
      began: (_, intendedMs, nowMs) => meter.began(intendedMs, nowMs),
      acknowledged: (_, intendedMs, nowMs) => meter.succeeded(intendedMs, nowMs),
      refused: (_, intendedMs, code) => meter.failed(intendedMs, code),
      unknown: (_, intendedMs) => meter.unknown(intendedMs),
    }
    await this.send(listener, pace, { ...until, onEnd: () => meter.endAt(performance.now()) })
  }

  /** Sends until then or the signal, says when that is over, and waits for the answers. */
  async send(
    listener: SendListener,
    pace: Pace,
    { untilMs, signal, onEnd }: { untilMs: number; signal: AbortSignal; onEnd: () => void },
  ): Promise<void> {
    this.#listener = listener
    this.#pacer = new Pacer(pace, this)
    await this.#pacer.run(untilMs, AbortSignal.any([signal, this.#full.signal]))
    this.#pacer = null
    onEnd()
    const deadline = performance.now() + ANSWER_MS
    while (this.#underWay > 0 && performance.now() < deadline) await sleep(5)
  }

  begin(intendedMs: number): void {
    const at = this.#next
    this.#next = (at + 1) % this.#conversations
    const { n, prev } = this.ledger.next(at)
    if (this.ledger.messages >= MOST_MESSAGES) this.#full.abort()
    this.#underWay += 1
    this.#listener?.began(messageIdOf(at, n), intendedMs, performance.now())
    const to = this.#receiverNames[Math.floor(at / this.#clients)]!
    const sent = { at, n, prev, intendedMs, to }
    if (this.#underWay > MOST_UNDER_WAY) this.#answered(sent, NOT_SENT, performance.now())
    else this.#senders[at % this.#clients]!.send(sent)
  }

  flush(): void {
    for (const sender of this.#senders) sender.flush()
  }

  async close(): Promise<void> {
    for (const sender of this.#senders) sender.close()
  }

  async verify(onProgress?: (done: number, all: number) => void): Promise<Verdict> {
    const stored = await readBack({
      target: this.#target,
      ledger: this.ledger,
      senderOf: (at) => at % this.#clients,
      body: this.#body,
      onProgress,
    })
    return { stored, wrong: 0, firstWrong: null }
  }

  #answered({ at, n, intendedMs }: Sent, answer: Answer, nowMs: number): void {
    const msgId = messageIdOf(at, n)
    if (answer.kind === 'acknowledged') {
      this.ledger.acknowledged(at, n, answer)
      this.#listener?.acknowledged(msgId, intendedMs, nowMs)
      this.#underWay -= 1
      return
    }
    if (answer.kind === 'unknown') {
      this.ledger.unknown(at, n)
      this.#listener?.unknown(msgId, intendedMs)
    } else {
      this.ledger.refused(at, n)
      this.#listener?.refused(msgId, intendedMs, answer.code)
    }
    setTimeout(() => {
      this.#underWay -= 1
      this.#pacer?.refill()
    }, AFTER_ERROR_MS).unref()
  }
}
