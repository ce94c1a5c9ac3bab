import { isFailure, type MessageAnswer, type ServerFrame } from '#protocol'
import { messageIdOf } from './ledger.ts'
import { helloOf, type LoadTarget, senderName } from './load-target.ts'
import { openSession } from './open-session.ts'
import type { WireConnection } from './wire-connection.ts'

/** A message on its way. */
export interface Sent {
  /** The conversation, and its number in it. */
  readonly at: number
  readonly n: number
  readonly prev: number | null
  readonly to: string
  readonly intendedMs: number
}

export type Answer =
  | { readonly kind: 'acknowledged'; readonly conv: string; readonly seq: number }
  /** `UNANSWERED`: the connection ended, or no answer came. */
  | { readonly kind: 'refused' | 'unknown'; readonly code: string }

export interface SenderOptions {
  readonly target: LoadTarget
  readonly at: number
  readonly body: Uint8Array
  readonly answered: (sent: Sent, answer: Answer, nowMs: number) => void
  readonly turned: () => void
}

const OPEN_MS = 30_000
const REOPEN_MS = 10 * 60_000

/** One user with one session, which finds another node when its own goes away. */
export class Sender {
  readonly #options: SenderOptions
  readonly #waiting: Sent[] = []
  #nextWaiting = 0
  readonly #inFlight = new Map<number, Sent>()
  readonly #closing = new AbortController()
  #connection: WireConnection | null = null
  #most = 0
  #id = 0
  /** Where it is, among the target's addresses. */
  #place: number

  constructor(options: SenderOptions) {
    this.#options = options
    this.#place = options.at
  }

  /** @throws ConnectError */
  async open(patienceMs = OPEN_MS): Promise<void> {
    const { target, at } = this.#options
    const connection = await openSession({
      urls: target.urls,
      first: this.#place,
      patienceMs,
      signal: this.#closing.signal,
      hello: helloOf(target, senderName(target.prefix, at), 'bench'),
      onFrame: (frame, nowMs) => this.#take(frame, nowMs),
      onTurn: () => {
        this.#options.turned()
        // There is room for what waited for it.
        this.flush()
      },
      onEnd: () => this.#lost(),
    })
    if (this.#closing.signal.aborted) {
      connection.close()
      return
    }
    this.#connection = connection
    // One below: a request is counted until its answer has left the node.
    this.#most = Math.max(1, connection.greeting.limits.inflight - 1)
    this.flush()
  }

  get underWay(): number {
    return this.#inFlight.size + this.#waiting.length - this.#nextWaiting
  }

  send(sent: Sent): void {
    this.#waiting.push(sent)
  }

  flush(): void {
    const connection = this.#connection
    if (connection === null) return
    while (this.#nextWaiting < this.#waiting.length && this.#inFlight.size < this.#most) {
      const sent = this.#waiting[this.#nextWaiting++]!
      const { at, n, prev, to } = sent
      this.#id += 1
      this.#inFlight.set(this.#id, sent)
      connection.send({
        t: 'msg:R',
        id: this.#id,
        to,
        msgId: messageIdOf(at, n),
        body: this.#options.body,
        since: connection.greeting.now,
        ...(prev === null ? {} : { prev: messageIdOf(at, prev) }),
      })
    }
    if (this.#nextWaiting > 1_000 && this.#nextWaiting * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#nextWaiting)
      this.#nextWaiting = 0
    }
    connection.flush()
  }

  /** Ends the session; what has no answer never gets one. */
  close(): void {
    this.#closing.abort()
    this.#connection?.close()
    this.#connection = null
    this.#giveUp()
    const waiting = this.#waiting.splice(0).slice(this.#nextWaiting)
    this.#nextWaiting = 0
    const now = performance.now()
    for (const sent of waiting) {
      this.#options.answered(sent, { kind: 'refused', code: 'NOT_SENT' }, now)
    }
  }

  #take(frame: ServerFrame, nowMs: number): void {
    if (frame.t !== 'msg:A') return
    const { id } = frame as { id: number }
    const sent = this.#inFlight.get(id)
    if (sent === undefined) return
    this.#inFlight.delete(id)
    this.#options.answered(sent, answerIn(frame), nowMs)
  }

  #lost(): void {
    this.#connection = null
    this.#place += 1
    this.#giveUp()
    this.#options.turned()
    // Whoever waits for it sees that messages are not sent.
    void this.open(REOPEN_MS).catch(() => {})
  }

  #giveUp(): void {
    const lost = [...this.#inFlight.values()]
    this.#inFlight.clear()
    const now = performance.now()
    for (const sent of lost) {
      this.#options.answered(sent, { kind: 'unknown', code: 'UNANSWERED' }, now)
    }
  }
}

function answerIn(frame: ServerFrame): Answer {
  if (isFailure(frame)) {
    const { code, outcome } = frame.error
    return { kind: outcome === 'unknown' ? 'unknown' : 'refused', code }
  }
  const { conv, seq } = frame as MessageAnswer
  return { kind: 'acknowledged', conv, seq }
}
