import { setTimeout as sleep } from 'node:timers/promises'
import type { History, SendRecord } from '../history/history.ts'
import { type Answer, WireClient } from './wire-client.ts'

export interface SenderOptions {
  readonly user: string
  readonly device: string
  readonly conversations: readonly string[]
  /** Where to connect next; called before each attempt. */
  readonly pickNode: () => string
  readonly history: History
  /** Uniform over 0 … 1. */
  readonly random: () => number
  /** Unsettled writes per conversation. */
  readonly window: number
  /** Share of acknowledged writes that are sent once more, to a node of the moment. */
  readonly repeatShare: number
  /** A pause after each write, in ms. */
  readonly thinkMs: number
}

interface Unsettled {
  readonly record: SendRecord
  readonly since: number
  inFlight: boolean
}

/**
 * A device that sends until told to stop, whatever happens to the nodes: pipelines with `prev`,
 * never takes a timeout for a failure, sends the same msgId again until the log has spoken.
 */
export class Sender {
  readonly #options: SenderOptions
  readonly #queues = new Map<string, Unsettled[]>()
  readonly #orders = new Map<string, number>()
  #client: WireClient | null = null
  #now = 0
  #running = true
  /** Milliseconds between two acknowledgements, the longest seen. */
  longestGapMs = 0
  #lastAckAt: number | null = null

  constructor(options: SenderOptions) {
    this.#options = options
    for (const conv of options.conversations) this.#queues.set(conv, [])
  }

  /** Sends until `stop`, then until everything is settled. */
  async run(): Promise<void> {
    while (this.#running || this.#unsettled() > 0) {
      const client = await this.#connected()
      if (client === null) {
        await sleep(20)
        continue
      }
      this.#resendAll(client)
      while (!client.closed && (this.#running || this.#unsettled() > 0)) {
        if (this.#running) this.#sendNew(client)
        await sleep(this.#options.thinkMs)
      }
    }
    this.#client?.close()
  }

  stop(): void {
    this.#running = false
  }

  #unsettled(): number {
    let count = 0
    for (const queue of this.#queues.values()) count += queue.length
    return count
  }

  async #connected(): Promise<WireClient | null> {
    if (this.#client !== null && !this.#client.closed) return this.#client
    const { user, device, pickNode } = this.#options
    try {
      this.#client = await WireClient.connect(pickNode(), user, device)
      return this.#client
    } catch {
      return null
    }
  }

  #sendNew(client: WireClient): void {
    const { conversations, random, window, history, user, device } = this.#options
    const conv = conversations[Math.floor(random() * conversations.length)]!
    const queue = this.#queues.get(conv)!
    if (queue.length >= window) return
    const order = (this.#orders.get(conv) ?? 0) + 1
    this.#orders.set(conv, order)
    const msgId = `${device}:${conv.slice(-6)}:${order}`.replaceAll(/[^A-Za-z0-9._:@-]/g, '_')
    const body = `${user} says ${order} ${'x'.repeat(Math.floor(random() * 64))}`
    const record = history.send({ conv, user, device, msgId, order, body })
    const unsettled: Unsettled = { record, since: this.#now, inFlight: false }
    const prev = queue.at(-1)
    queue.push(unsettled)
    this.#send(client, unsettled, prev)
  }

  #resendAll(client: WireClient): void {
    for (const conv of this.#queues.keys()) this.#resend(client, conv)
  }

  /** From the oldest unsettled write on, in order, each naming the one before it (rule A4). */
  #resend(client: WireClient, conv: string): void {
    let prev: Unsettled | undefined
    for (const unsettled of this.#queues.get(conv)!) {
      this.#send(client, unsettled, prev)
      prev = unsettled
    }
  }

  #send(client: WireClient, unsettled: Unsettled, prev: Unsettled | undefined): void {
    const { conv, msgId, body } = unsettled.record
    const frame = {
      t: 'msg:R',
      conv,
      msgId,
      body,
      since: unsettled.since,
      ...(prev === undefined ? {} : { prev: prev.record.msgId }),
    }
    void client.request(frame).then((answer) => this.#answered(client, unsettled, answer))
  }

  #answered(client: WireClient, unsettled: Unsettled, answer: Answer | null): void {
    const { record } = unsettled
    const queue = this.#queues.get(record.conv)!
    const at = queue.indexOf(unsettled)
    if (answer === null) {
      client.close()
      return
    }
    if (answer.error === undefined) {
      this.#acknowledged(record, answer)
      if (at >= 0) queue.splice(at, 1)
    } else if (!answer.error.retryable) {
      record.refused = answer.error.code
      if (at >= 0) queue.splice(at, 1)
    } else if (at === 0 && client === this.#client && !client.closed) {
      // Only the oldest write starts the queue again: the others follow it.
      const pauseMs = answer.error.code === 'OUT_OF_ORDER' ? 5 : 50
      void sleep(pauseMs).then(() => {
        if (client === this.#client && !client.closed) this.#resend(client, record.conv)
      })
    }
  }

  #acknowledged(record: SendRecord, answer: Answer): void {
    const now = performance.now()
    if (this.#lastAckAt !== null) {
      this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAckAt)
    }
    this.#lastAckAt = now
    this.#now = Math.max(this.#now, answer.now as number)
    const seq = answer.seq as number
    if (record.acked !== null) {
      record.repeats.push({ seq, duplicate: answer.duplicate as boolean })
      return
    }
    this.#options.history.acknowledge(record, seq)
    if (this.#options.random() < this.#options.repeatShare) void this.#repeat(record)
  }

  /** The same write again, on a connection and perhaps a node of its own. */
  async #repeat(record: SendRecord): Promise<void> {
    const { user, device, pickNode } = this.#options
    try {
      const client = await WireClient.connect(pickNode(), user, `${device}-r`)
      const { conv, msgId, body } = record
      const answer = await client.request({ t: 'msg:R', conv, msgId, body })
      if (answer !== null && answer.error === undefined) {
        record.repeats.push({ seq: answer.seq as number, duplicate: answer.duplicate as boolean })
      }
      client.close()
    } catch {
      // No node took the copy: nothing to compare.
    }
  }
}
