import { setTimeout as sleep } from 'node:timers/promises'
import type { History, SendRecord, WireEvent } from '../history/history.ts'
import { type Frame, type HelloOptions, type Resume, WireClient } from './wire-client.ts'

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
  /** Whether it shows what it saw when it connects again: nodes that lost it turn it away for good. */
  readonly resumes: boolean
}

/** Then it tries another node. */
const OPEN_MS = 3_000
/** A node that says so may have been cut off from the others, and is left for another one. */
const ALONE = ['NO_LEADER', 'OUTCOME_UNKNOWN']
/** One step in so many is a read. */
const READ_EVERY = 10

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
  #node = ''
  #resume: Resume | null = null
  #session = 0
  #steps = 0
  #repeats = 0
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
      while (!client.isClosed && (this.#running || this.#unsettled() > 0)) {
        this.#steps += 1
        if (this.#steps % READ_EVERY === 0) this.#read(client)
        else if (this.#running) this.#sendNew(client)
        await sleep(this.#options.thinkMs)
      }
    }
    this.#client?.close()
  }

  stop(): void {
    this.#running = false
  }

  /** Sends no more and waits for nothing: there is no cluster any more that could settle it. */
  abandon(): void {
    this.#running = false
    for (const queue of this.#queues.values()) queue.length = 0
    this.#client?.close()
  }

  get #hello(): HelloOptions {
    return { openMs: OPEN_MS, ...(this.#resume !== null && { resume: this.#resume }) }
  }

  #unsettled(): number {
    let count = 0
    for (const queue of this.#queues.values()) count += queue.length
    return count
  }

  async #connected(): Promise<WireClient | null> {
    if (this.#client !== null && !this.#client.isClosed) return this.#client
    const { user, device, pickNode, resumes } = this.#options
    const { hello, mark } = this.#client ?? {}
    if (resumes && typeof mark === 'string') {
      this.#resume = { epoch: hello!['epoch'] as string, inbox: 0, mark }
    }
    try {
      const node = pickNode()
      const client = await WireClient.connect(node, user, device, this.#hello)
      this.#client = client
      this.#node = node
      this.#session += 1
      client.onPush((frame) => this.#pushed(frame))
      return client
    } catch {
      return null
    }
  }

  #pushed(frame: Frame): void {
    if (frame.t !== 'msg:N') return
    const { device, history } = this.#options
    const [conv, mark] = [frame['conv'] as string, (frame['mark'] ?? null) as string | null]
    const where = { device, session: this.#session, conv, node: this.#node, mark }
    history.push(where, frame as unknown as WireEvent)
  }

  /** The newest page of a conversation, by turns linearizable and by the mark. */
  #read(client: WireClient): void {
    const { conversations, random, history, device } = this.#options
    const conv = conversations[Math.floor(random() * conversations.length)]!
    const linearizable = this.#steps % (2 * READ_EVERY) === 0
    const after = Math.max(0, history.shown.headOf(conv) - 20)
    const [node, rests] = [this.#node, client.mark]
    const asked = history.ask({ device, conv, node, linearizable, rests })
    const how = linearizable ? { read: 'linearizable' } : rests === null ? {} : { mark: rests }
    void client.request({ t: 'pull:R', conv, after, limit: 100, ...how }).then((answer) => {
      if (answer === null || answer.error !== undefined) return
      history.answer(asked, {
        events: answer['events'] as WireEvent[],
        upTo: answer['upTo'] as number,
        after,
        hasMore: answer['hasMore'] as boolean,
        mark: (answer['mark'] ?? null) as string | null,
      })
    })
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
    const prev = queue.at(-1)
    const named = prev?.record.msgId ?? null
    const record = history.send({ conv, user, device, msgId, order, body, prev: named })
    const unsettled: Unsettled = { record, since: this.#now, inFlight: false }
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
    unsettled.inFlight = true
    void client.request(frame).then((answer) => {
      unsettled.inFlight = false
      this.#answered(client, unsettled, answer)
    })
  }

  #answered(client: WireClient, unsettled: Unsettled, answer: Frame | null): void {
    const { record } = unsettled
    const queue = this.#queues.get(record.conv)!
    const at = queue.indexOf(unsettled)
    if (answer === null) {
      client.close()
      return
    }
    if (answer.error === undefined) {
      this.#acknowledged(record, answer)
      this.#settled(client, queue, at)
    } else if (ALONE.includes(answer.error.code)) {
      client.close()
    } else if (!answer.error.retryable) {
      this.#options.history.refuse(record, answer.error.code, this.#node)
      this.#settled(client, queue, at)
    } else if (at === 0 && client === this.#client && !client.isClosed) {
      // Only the oldest write starts the queue again: the others follow it.
      const pauseMs = answer.error.code === 'OUT_OF_ORDER' ? 5 : 50
      void sleep(pauseMs).then(() => {
        if (client === this.#client && !client.isClosed) this.#resend(client, record.conv)
      })
    }
  }

  #settled(client: WireClient, queue: Unsettled[], at: number): void {
    if (at >= 0) queue.splice(at, 1)
    const [oldest] = queue
    if (oldest === undefined || oldest.inFlight || client.isClosed) return
    // It was turned away while another was the oldest, and nobody else starts it again.
    if (client === this.#client) this.#resend(client, oldest.record.conv)
  }

  #acknowledged(record: SendRecord, answer: Frame): void {
    const now = performance.now()
    if (this.#lastAckAt !== null) {
      this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAckAt)
    }
    this.#lastAckAt = now
    this.#now = Math.max(this.#now, answer.now as number)
    const isFirst = record.acked === null
    this.#options.history.accept(record, acceptanceOf(answer, this.#node))
    if (!isFirst) return
    if (this.#options.random() < this.#options.repeatShare) void this.#repeat(record)
  }

  /** The same write again, on a connection and perhaps a node of its own. */
  async #repeat(record: SendRecord): Promise<void> {
    const { user, pickNode, history } = this.#options
    const device = `${this.#options.device}-r`
    try {
      const node = pickNode()
      const client = await WireClient.connect(node, user, device, this.#hello)
      const { conv, msgId, body } = record
      const answer = await client.request({ t: 'msg:R', conv, msgId, body })
      if (answer !== null && answer.error === undefined) {
        // A new device each time, as far as marks are concerned.
        this.#repeats += 1
        const copy = { ...acceptanceOf(answer, node), device: `${device}-${this.#repeats}` }
        history.accept(record, copy)
      }
      client.close()
    } catch {
      // No node took the copy: nothing to compare.
    }
  }
}

function acceptanceOf(answer: Frame, node: string) {
  return {
    seq: answer['seq'] as number,
    at: answer['at'] as number,
    ord: answer['ord'] as number,
    duplicate: answer['duplicate'] as boolean,
    mark: (answer['mark'] ?? null) as string | null,
    node,
  }
}
