import type { History, SendRecord, WireEvent } from '../history/history.ts'
import type { Prng } from '../prng.ts'
import type { SimClients } from '../simulation/sim-clients.ts'
import type { SimScheduler } from '../simulation/sim-scheduler.ts'
import type { Device } from './device.ts'
import type { Operation } from './operation.ts'
import { type Frame, type SessionOptions, SimSession } from './sim-session.ts'

interface Failure {
  readonly code: string
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

export interface DeviceOptions extends SessionOptions {
  /** Unsettled writes per conversation. */
  readonly window: number
}

interface Unsettled {
  readonly record: SendRecord
  readonly since: number
}

/** So many writes of a device to a conversation make one reply, so many copies one forged copy. */
const REPLY_EVERY = 8
const FORGE_EVERY = 5

/**
 * One device: writes with `prev` and `since`, pipelined, never takes silence for a failure, repeats a
 * msgId until the log has spoken, moves between nodes, reads. Everything it does is an event of the
 * simulated world.
 */
export class SimDevice implements Device {
  readonly options: DeviceOptions
  readonly #clients: SimClients
  readonly #session: SimSession
  readonly #history: History
  readonly #convs: string[] = []
  readonly #queues = new Map<string, Unsettled[]>()
  readonly #orders = new Map<string, number>()
  readonly #settled: Unsettled[] = []
  #count = 0
  #repeats = 0
  #now = 0
  /** Answers that were no acknowledgement, by code. */
  readonly refusals = new Map<string, number>()

  constructor(parts: {
    options: DeviceOptions
    scheduler: SimScheduler
    clients: SimClients
    prng: Prng
    history: History
  }) {
    this.options = parts.options
    this.#clients = parts.clients
    this.#history = parts.history
    this.#session = new SimSession(parts.options, parts, {
      onGreeted: (answer) => {
        this.#learn(answer)
        for (const conv of this.#queues.keys()) this.#resend(conv)
      },
      onNotice: (notice) => {
        if (notice.t === 'msg:N') this.#pushed(notice)
      },
    })
  }

  get unsettled(): number {
    let count = 0
    for (const queue of this.#queues.values()) count += queue.length
    return count
  }

  start(): void {
    this.#session.start()
  }

  /** The conversation that operations call by that number. */
  join(number: number, conv: string): void {
    this.#convs[number] = conv
    this.#queues.set(conv, [])
  }

  /** Says whether it came to it. */
  perform(operation: Operation): boolean {
    if (!this.#session.isReady) return false
    switch (operation.kind) {
      case 'crash':
        return false
      case 'move':
        this.#session.drop()
        return true
      case 'repeat':
        return this.#repeat(operation.back)
      case 'pull':
        return this.#pull(operation)
      case 'send':
        return this.#sendNew(operation)
    }
  }

  stop(): void {
    this.#session.stop()
  }

  /** Sends once connected; `null` if the connection ended first. */
  request(frame: Frame, done: (answer: Frame | null) => void): void {
    this.#session.request(frame, done)
  }

  get isReady(): boolean {
    return this.#session.isReady
  }

  #pushed(frame: Frame): void {
    const { connection: session, node, shownMark: mark } = this.#session
    const conv = frame['conv'] as string
    const { device } = this.options
    this.#history.push({ device, session, conv, node, mark }, frame as unknown as WireEvent)
  }

  // ——— what it does ———

  #sendNew({ conversation, padding }: Extract<Operation, { kind: 'send' }>): boolean {
    const conv = this.#convs[conversation]
    const queue = conv === undefined ? undefined : this.#queues.get(conv)
    if (conv === undefined || queue === undefined) return false
    if (queue.length >= this.options.window) return false
    const { user, device } = this.options
    const order = (this.#orders.get(conv) ?? 0) + 1
    this.#orders.set(conv, order)
    this.#count += 1
    const msgId = `${device}-${this.#count}`
    const prev = queue.at(-1)?.record.msgId ?? null
    const head = this.#history.shown.headOf(conv)
    const record = this.#history.send({
      conv,
      user,
      device,
      msgId,
      order,
      body: `${msgId} in ${conv}${'x'.repeat(padding)}`,
      prev,
      replyTo: order % REPLY_EVERY === 0 && head > 0 ? head : null,
    })
    const unsettled = { record, since: this.#now }
    queue.push(unsettled)
    this.#send(unsettled, prev)
    return true
  }

  #send(unsettled: Unsettled, prev: string | null): void {
    const { body } = unsettled.record
    this.request(messageFrame(unsettled, body, prev), (answer) => {
      if (answer !== null) this.#answered(unsettled, answer)
    })
  }

  #answered(unsettled: Unsettled, answer: Frame): void {
    const { record } = unsettled
    this.#learn(answer)
    const error = answer['error'] as Failure | undefined
    if (error === undefined) {
      const isFirst = record.acked === null
      this.#accepted(record, answer)
      if (isFirst) this.#settle(unsettled)
      return
    }
    this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1)
    if (!error.retryable) this.#history.refuse(record, error.code, this.#session.node)
    if (record.acked !== null) return
    if (!error.retryable) {
      this.#settle(unsettled)
      return
    }
    const { connection } = this.#session
    const pauseMs = error.code === 'OUT_OF_ORDER' ? 5 : (error.retryAfterMs ?? 50)
    if (this.#resending.has(record.conv)) return
    this.#resending.add(record.conv)
    this.#session.later(pauseMs, () => {
      this.#resending.delete(record.conv)
      if (connection === this.#session.connection) this.#resend(record.conv)
    })
  }

  #accepted(record: SendRecord, answer: Frame, forged = false): void {
    this.#clients.onSent(this.#session.node, record, this.#clients.left)
    this.#history.accept(record, {
      seq: answer['seq'] as number,
      at: answer['at'] as number,
      ord: answer['ord'] as number,
      duplicate: answer['duplicate'] as boolean,
      node: this.#session.node,
      mark: this.#session.shownMark,
      forged,
    })
  }

  readonly #resending = new Set<string>()

  #settle(unsettled: Unsettled): void {
    const queue = this.#queues.get(unsettled.record.conv)!
    const at = queue.indexOf(unsettled)
    if (at >= 0) queue.splice(at, 1)
    this.#settled.push(unsettled)
    if (this.#settled.length > 50) this.#settled.shift()
  }

  /** From the oldest unsettled write on, in order (rule A4). */
  #resend(conv: string): void {
    const queue = this.#queues.get(conv)!
    let prev: string | null = null
    for (const unsettled of [...queue]) {
      this.#send(unsettled, prev)
      prev = unsettled.record.msgId
    }
  }

  /** A copy of what was answered already, as after a lost answer. */
  #repeat(back: number): boolean {
    const { length } = this.#settled
    const unsettled = this.#settled[length - 1 - (back % length)]
    if (unsettled === undefined || unsettled.record.acked === null) return false
    this.#repeats += 1
    if (this.#repeats % FORGE_EVERY === 0) this.#forge(unsettled)
    else this.#send(unsettled, null)
    return true
  }

  /** A copy with another body, which must not be taken for the message nor for a new one. */
  #forge(unsettled: Unsettled): void {
    const { record } = unsettled
    this.request(messageFrame(unsettled, `${record.body}, forged`, null), (answer) => {
      if (answer === null) return
      const error = answer['error'] as Failure | undefined
      if (error === undefined) this.#accepted(record, answer, true)
      else if (!error.retryable) this.#history.refuse(record, error.code, this.#session.node, true)
    })
  }

  #pull(operation: Extract<Operation, { kind: 'pull' }>): boolean {
    const { linearizable } = operation
    const conv = this.#convs[operation.conversation]
    if (conv === undefined) return false
    const after = Math.max(0, this.#history.shown.headOf(conv) - operation.back)
    const asked = this.#history.ask({
      device: this.options.device,
      conv,
      node: this.#session.node,
      linearizable,
      rests: this.#session.mark,
    })
    const mark = linearizable || this.#session.mark === null ? {} : { mark: this.#session.mark }
    const read = linearizable ? { read: 'linearizable' } : {}
    this.request({ t: 'pull:R', conv, after, limit: 100, ...read, ...mark }, (answer) => {
      if (answer === null) return
      const error = answer['error'] as Failure | undefined
      if (error !== undefined) {
        this.refusals.set(error.code, (this.refusals.get(error.code) ?? 0) + 1)
        return
      }
      this.#history.answer(asked, {
        events: answer['events'] as WireEvent[],
        upTo: answer['upTo'] as number,
        after,
        hasMore: answer['hasMore'] as boolean,
        mark: this.#session.shownMark,
      })
    })
    return true
  }

  #learn(answer: Frame): void {
    if (typeof answer['now'] === 'number') this.#now = Math.max(this.#now, answer['now'])
  }
}

function messageFrame({ record, since }: Unsettled, body: string, prev: string | null): Frame {
  const { conv, msgId, replyTo } = record
  return {
    ...{ t: 'msg:R', conv, msgId, body, since },
    ...(prev === null ? {} : { prev }),
    ...(replyTo === null ? {} : { replyTo }),
  }
}
