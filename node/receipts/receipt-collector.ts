import type { Clock, Timer } from '#cluster'
import { type WireError, wireError } from '#protocol'
import {
  CommandKind,
  type CursorAck,
  type CursorKind,
  type InboxAck,
  type Submission,
  SYSTEM_HEAD,
} from '../state-machine/commands.ts'
import type { WriteResult } from '../state-machine/types.ts'

const COLLECTOR = {
  /** No two entries within this, however many clients acknowledge. */
  collectMs: 100,
  /** Cursors at which an entry goes out before its time; one frame may carry it past that. */
  fullAt: 1_000,
  /** Cursors and requests that wait for their apply. */
  maxWaiting: 100_000,
} as const

export interface Ack {
  readonly conv: string
  readonly kind: CursorKind
  readonly upTo: number
}

export interface AckingDevice {
  readonly user: string
  readonly device: string
}

/** Called once, after this node applied the acks, or with what hindered it. */
export type AckDone = (error: WireError | null) => void

type Submit = (
  submission: Submission,
  done: (result: WriteResult | { error: WireError }) => void,
) => void

interface Batch {
  readonly conversations: Map<string, Map<string, CursorAck>>
  readonly inboxes: Map<string, InboxAck>
  readonly waiting: AckDone[]
  cursors: number
}

/**
 * Collects what the clients of this node acknowledge into one log entry (rule B5). Nobody waits while
 * it is quiet: the first ack goes out at once, those of the next 100 ms together. Acks are cumulative,
 * so that of one device, conversation and kind the highest is enough.
 */
export class ReceiptCollector {
  readonly #clock: Clock
  readonly #submit: Submit
  #batch = emptyBatch()
  /** Cursors and requests, those of the batch included. */
  #waiting = 0
  #flushedMs = -Infinity
  #timer: Timer | null = null
  #isDeferred = false
  #isClosed = false

  constructor(clock: Clock, submit: Submit) {
    this.#clock = clock
    this.#submit = submit
  }

  /** `inbox`: the device's cursor in its user's inbox, `null` if it says nothing of that. */
  add(from: AckingDevice, all: readonly Ack[], inbox: number | null, done: AckDone): void {
    const acks = all.filter(({ upTo }) => upTo > 0)
    if (acks.length === 0 && inbox === null) {
      done(null)
      return
    }
    if (this.#isClosed || this.#waiting >= COLLECTOR.maxWaiting) {
      done(wireError('OVERLOADED', 'This node has too many acks to take; ack again later.'))
      return
    }
    const batch = this.#batch
    const before = batch.cursors
    for (const ack of acks) addCursor(batch, from, ack)
    if (inbox !== null) addInbox(batch, from, inbox)
    batch.waiting.push(done)
    this.#waiting += 1 + batch.cursors - before
    if (batch.cursors >= COLLECTOR.fullAt) this.#flush()
    else this.#flushLater()
  }

  /** Whoever waits hears that nobody knows. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    const { waiting } = this.#batch
    this.#batch = emptyBatch()
    for (const done of waiting) done(wireError('DRAINING', 'This node stops; ack again elsewhere.'))
  }

  #flushLater(): void {
    if (this.#timer !== null || this.#isDeferred) return
    const waitMs = this.#flushedMs + COLLECTOR.collectMs - this.#clock.monotonicMs()
    if (waitMs > 0) {
      this.#timer = this.#clock.after(waitMs, () => {
        this.#timer = null
        this.#flush()
      })
      return
    }
    this.#isDeferred = true
    this.#clock.defer(() => {
      this.#isDeferred = false
      this.#flush()
    })
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    const batch = this.#batch
    if (batch.waiting.length === 0) return
    this.#batch = emptyBatch()
    this.#flushedMs = this.#clock.monotonicMs()
    this.#submit(
      {
        kind: CommandKind.cursors,
        ...SYSTEM_HEAD,
        conversations: Array.from(batch.conversations, ([conv, acks]) => ({
          conv,
          acks: [...acks.values()],
        })),
        inboxes: [...batch.inboxes.values()],
      },
      (result) => {
        this.#waiting -= batch.cursors + batch.waiting.length
        const error = errorOf(result)
        for (const done of batch.waiting) done(error)
      },
    )
  }
}

function emptyBatch(): Batch {
  return { conversations: new Map(), inboxes: new Map(), waiting: [], cursors: 0 }
}

/** Neither a user nor a device holds a space. */
const nameOf = ({ user, device }: AckingDevice): string => `${user} ${device}`

/** `read` covers `delivered` up to the same seq: one of the two is enough. */
function addCursor(batch: Batch, from: AckingDevice, { conv, kind, upTo }: Ack): void {
  let acks = batch.conversations.get(conv)
  if (acks === undefined) batch.conversations.set(conv, (acks = new Map()))
  const name = nameOf(from)
  const delivered = acks.get(`delivered ${name}`)
  const read = acks.get(`read ${name}`)
  if (upTo <= (read?.upTo ?? 0) || (kind === 'delivered' && upTo <= (delivered?.upTo ?? 0))) return
  if (kind === 'read' && delivered !== undefined && delivered.upTo <= upTo) {
    acks.delete(`delivered ${name}`)
    batch.cursors -= 1
  }
  const { user, device } = from
  if ((kind === 'read' ? read : delivered) === undefined) batch.cursors += 1
  acks.set(`${kind} ${name}`, { user, device, kind, upTo })
}

function addInbox(batch: Batch, from: AckingDevice, inbox: number): void {
  const name = nameOf(from)
  const known = batch.inboxes.get(name)
  if (known === undefined) batch.cursors += 1
  const { user, device } = from
  batch.inboxes.set(name, { user, device, inbox: Math.max(inbox, known?.inbox ?? 0) })
}

function errorOf(result: WriteResult | { error: WireError }): WireError | null {
  if ('error' in result) return result.error
  return result.ok ? null : wireError(result.code, result.message)
}
