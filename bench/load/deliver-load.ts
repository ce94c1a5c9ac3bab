import { setTimeout as sleep } from 'node:timers/promises'
import { ChatClient, ChatError } from '#client'
import type { Load, Verdict } from './load.ts'
import type { LoadTarget } from './load-target.ts'
import type { Meter } from './meter.ts'
import type { Pace } from './pacer.ts'
import { SendLoad, type SendListener, type Shape } from './send-load.ts'

const OPEN_MS = 60_000
/** For what was acknowledged to reach who it is for. */
const ARRIVE_MS = 15_000
/** Sent and not received: past this many receivers are so far behind that the load ends. */
const MOST_EXPECTED = 1_000_000

/**
 * Messages from when they were meant to be sent until the application of who they are for has them,
 * by the SDK, which acknowledges them: one clock sees both ends.
 */
export class DeliverLoad implements Load {
  readonly #target: LoadTarget
  readonly #sends: SendLoad
  readonly #receivers: ChatClient[] = []
  readonly #loops: Promise<void>[] = []
  /** Sent and not received, by sender and id. */
  readonly #expected = new Map<string, number>()
  /** By conversation, how many came, and the newest seq. */
  readonly #came: number[]
  readonly #newest = new Map<string, number>()
  #meter: Meter | null = null
  #wrong = 0
  #firstWrong: string | null = null

  constructor(target: LoadTarget, shape: Shape) {
    this.#target = target
    this.#sends = new SendLoad(target, shape)
    this.#came = Array.from({ length: shape.conversations }, () => 0)
  }

  get underWay(): number {
    return this.#expected.size
  }

  async open(): Promise<void> {
    const { urls, token } = this.#target
    await this.#sends.open()
    for (const [at, user] of this.#sends.receivers.entries()) {
      const first = at % urls.length
      const chat = await ChatClient.connect({
        urls: [...urls.slice(first), ...urls.slice(0, first)],
        ...{ user, device: 'bench', connectTimeoutMs: OPEN_MS },
        ...(token === undefined ? {} : { getToken: token }),
      })
      this.#receivers.push(chat)
      this.#loops.push(this.#receive(chat))
    }
  }

  async run(meter: Meter, pace: Pace, until: { untilMs: number; signal: AbortSignal }) {
    this.#meter = meter
    const behind = new AbortController()
    const listener: SendListener = {
      began: (msgId, intendedMs, nowMs) => {
        this.#expected.set(msgId, intendedMs)
        if (this.#expected.size > MOST_EXPECTED) behind.abort()
        meter.began(intendedMs, nowMs)
      },
      // Its time ends with whom it is for.
      acknowledged: () => {},
      refused: (msgId, intendedMs, code) => {
        this.#expected.delete(msgId)
        meter.failed(intendedMs, code)
      },
      // It may come all the same, and has its time then.
      unknown: () => {},
    }
    const onEnd = () => meter.endAt(performance.now())
    const signal = AbortSignal.any([until.signal, behind.signal])
    await this.#sends.send(listener, pace, { untilMs: until.untilMs, signal, onEnd })
    const deadline = performance.now() + ARRIVE_MS
    while (this.#expected.size > 0 && performance.now() < deadline) await sleep(5)
  }

  async close(): Promise<void> {
    await this.#sends.close()
    for (const chat of this.#receivers) chat.close()
    await Promise.all(this.#loops)
    for (const intendedMs of this.#expected.values()) this.#meter?.unknown(intendedMs)
  }

  async verify(onProgress?: (done: number, all: number) => void): Promise<Verdict> {
    const { stored } = await this.#sends.verify(onProgress)
    for (const [at, came] of this.#came.entries()) {
      const acknowledged = this.#sends.ledger.acknowledgedIn(at)
      if (came < acknowledged) {
        this.#found(
          acknowledged - came,
          `${came} of ${acknowledged} messages of a conversation came`,
        )
      }
    }
    return { stored, wrong: this.#wrong, firstWrong: this.#firstWrong }
  }

  async #receive(chat: ChatClient): Promise<void> {
    try {
      for await (const { msgId, conversation, seq } of chat.messages({ after: 'cursor' })) {
        const now = performance.now()
        const before = this.#newest.get(conversation) ?? 0
        if (seq <= before) this.#found(1, `message ${seq} of a conversation came after ${before}`)
        this.#newest.set(conversation, Math.max(seq, before))
        const at = Number(msgId.split('.')[0])
        this.#came[at] = (this.#came[at] ?? 0) + 1
        const intendedMs = this.#expected.get(msgId)
        if (intendedMs === undefined) continue
        this.#expected.delete(msgId)
        this.#meter?.succeeded(intendedMs, now)
      }
    } catch (error) {
      if (!ChatError.is(error)) throw error
      if (error.code !== 'CLOSED') this.#found(1, `a receiver ended: ${error.code}`)
    }
  }

  #found(count: number, what: string): void {
    this.#wrong += count
    this.#firstWrong ??= what
  }
}
