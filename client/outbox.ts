import { assert } from './assert.ts'
import { backoffMs } from './backoff.ts'
import { ChatError } from './errors.ts'
import { Lane } from './lane.ts'
import type { ResolvedOptions } from './options.ts'
import type { Timer } from './ports.ts'
import type { WireError } from './protocol/error-codes.ts'
import { isFailure, type ServerFrame } from './protocol/frames.ts'
import type { Requests, WithoutId } from './requests.ts'
import type { StoredMessage } from './store/client-store.ts'
import type { Write, WriteAnswer } from './write.ts'

/** What the outbox needs from the client around it. */
export interface OutboxOwner extends Requests {
  /** The newest log time heard of (rule A3). */
  logTime(): number | null
  /** The first write came, or the last one went. */
  onActivity(): void
  /** `WINDOW_EXPIRED`: looks the write up in the history (rule A3). */
  findInHistory(write: Write): Promise<'resend' | 'unknown' | WriteAnswer>
}

/**
 * Every write from `send` to its final answer (rules A2–A5): in order per conversation, several on
 * the wire at once, sent again under the same msgId until the log has spoken. A timeout, a lost
 * connection or `OUTCOME_UNKNOWN` is never a failure.
 */
export class Outbox {
  readonly #options: ResolvedOptions
  readonly #owner: OutboxOwner
  readonly #lanes = new Map<string, Lane>()
  /** Unsettled writes by msgId, for echoes. */
  readonly #writes = new Map<string, Write>()
  readonly #laneOf = new Map<Write, Lane>()
  #bytes = 0
  #inFlight = 0
  #maxInFlight = 64
  #isSaturated = false
  #timer: Timer | null = null
  #timerDueMs = Infinity
  #emptyWaiters: (() => void)[] = []

  constructor(options: ResolvedOptions, owner: OutboxOwner) {
    this.#options = options
    this.#owner = owner
  }

  get size(): number {
    return this.#writes.size
  }

  /** @throws ChatError OUTBOX_FULL */
  #checkRoom(bytes: number): void {
    const { maxPending, maxPendingBytes } = this.#options
    if (this.#writes.size >= maxPending) {
      throw new ChatError('OUTBOX_FULL', `${maxPending} writes wait for an answer already`)
    }
    if (this.#bytes + bytes > maxPendingBytes) {
      throw new ChatError('OUTBOX_FULL', `the outbox holds ${maxPendingBytes} bytes at most`)
    }
  }

  /**
   * @param isPromised it comes from the store: there is room for it whatever the options say now.
   * @throws ChatError OUTBOX_FULL, before anything changed.
   */
  add(laneKey: string, write: Write, isPromised = false): void {
    const { msgId } = write.draft
    if (this.#writes.has(msgId)) {
      throw new ChatError('INVALID_MESSAGE', `a write with msgId ${msgId} is under way`)
    }
    if (!isPromised) this.#checkRoom(write.bytes)
    let lane = this.#lanes.get(laneKey)
    if (lane === undefined) {
      lane = new Lane(laneKey)
      this.#lanes.set(laneKey, lane)
    }
    lane.writes.push(write)
    this.#laneOf.set(write, lane)
    this.#writes.set(msgId, write)
    this.#bytes += write.bytes
    if (this.#writes.size === 1) this.#owner.onActivity()
    this.#pump(lane)
  }

  /** msgId of the newest unsettled write of a lane. */
  lastOf(key: string): string | null {
    return this.#lanes.get(key)?.writes.at(-1)?.draft.msgId ?? null
  }

  hasLane(key: string): boolean {
    return this.#lanes.has(key)
  }

  /** Takes back a write that the store refused: it never was. */
  takeBack(write: Write): void {
    assert(!write.isStored, 'only a write that could not go out is taken back')
    this.#forget(write)
  }

  /** As the store keeps it, with the message that it follows (rule A4); `null`: it is not kept. */
  storedFormOf(write: Write): StoredMessage | null {
    const lane = this.#laneOf.get(write)
    assert(lane !== undefined, 'a write that is kept is unsettled')
    // Asked for when it was just added: from the end it is found at once.
    return write.stored?.(lane.previous(lane.writes.lastIndexOf(write)) ?? null) ?? null
  }

  /** The lane of an unsettled write. */
  laneKeyOf(msgId: string): string | null {
    const write = this.#writes.get(msgId)
    return write === undefined ? null : this.#laneOf.get(write)!.key
  }

  /**
   * A session stands: what was never on a socket gets its `since` (rule A3). Returns what has to be
   * durable before anything goes out: a later life that chose a later `since` would not be
   * recognised.
   */
  prepare(now: number, isNewEpoch: boolean): StoredMessage[] {
    const changed: StoredMessage[] = []
    for (const lane of this.#lanes.values()) {
      for (const [at, write] of lane.writes.entries()) {
        const before = write.since
        // Of the cluster's old history `now` is the end: a result from before the restore is not
        // newer, one from after it not older (rule K8).
        if (isNewEpoch && before !== null) write.since = Math.min(before, now)
        else if (before === null && !write.mayHaveBeenSent && write.stored !== null) {
          write.since = now
        }
        if (write.since === before) continue
        const stored = write.stored?.(lane.previous(at) ?? null) ?? null
        if (stored !== null) changed.push(stored)
      }
    }
    return changed
  }

  /** The store has the write now. */
  stored(write: Write): void {
    write.isStored = true
    const lane = this.#laneOf.get(write)
    if (lane !== undefined) this.#pump(lane)
  }

  /** A session stands: everything without an answer goes out at once. */
  online(maxInFlight: number): void {
    this.#maxInFlight = Math.max(1, maxInFlight)
    this.resendAll(true)
  }

  /** Answers to what was on the wire will not come any more. */
  offline(): void {
    this.#stopTimer()
    for (const lane of this.#lanes.values()) this.#recall(lane)
  }

  /** There is a new leader, or a new session. */
  resendAll(isNewSession = false): void {
    for (const lane of this.#lanes.values()) {
      lane.resume()
      lane.failures = 0
      this.#recall(lane)
      if (isNewSession) for (const write of lane.writes) write.sends = 0
    }
    this.#pumpAll()
  }

  /** The event of an own write came by: as good as its answer. */
  echo(msgId: string, answer: WriteAnswer): void {
    const write = this.#writes.get(msgId)
    if (write === undefined || write.draft.t === 'conv:R') return
    this.#settle(write, answer)
  }

  /** The log's verdict, told by something else than the answer. Says whether it was waited for. */
  refuse(write: Write, error: ChatError): boolean {
    return this.#fail(write, error)
  }

  /** Takes a write out that was certainly never on a socket. Says whether it was such a one. */
  withdraw(write: Write, error: ChatError): boolean {
    return !write.mayHaveBeenSent && this.#fail(write, error)
  }

  /** Resolves when nothing waits for an answer. */
  whenEmpty(): Promise<void> {
    if (this.#writes.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#emptyWaiters.push(resolve))
  }

  /** Gives up on everything: what was on a socket may be stored all the same. */
  close(error: (write: Write) => ChatError): void {
    this.#stopTimer()
    for (const write of [...this.#writes.values()]) this.#fail(write, error(write))
  }

  #pumpAll(): void {
    this.#isSaturated = false
    for (const lane of this.#lanes.values()) {
      this.#pump(lane)
      if (this.#isSaturated) return
    }
  }

  #pump(lane: Lane): void {
    if (lane.isPaused || !this.#owner.isOnline()) return
    const count = Math.min(lane.writes.length, this.#options.window)
    for (let i = 0; i < count; i++) {
      const write = lane.writes[i]!
      // Later ones wait too: they would only be refused as out of order.
      if (!write.isInFlight && !this.#send(lane, write, i)) return
      // The next one would name this one, which may have its result while those before it do not.
      if (write.isRepeat && i > 0) return
    }
  }

  /** Says whether it could go out now. */
  #send(lane: Lane, write: Write, index: number): boolean {
    if (!write.isStored) return false
    if (this.#inFlight >= this.#maxInFlight) {
      this.#isSaturated = true
      return false
    }
    write.isInFlight = true
    this.#inFlight++
    this.#transmit(lane, write, index)
    return true
  }

  #transmit(lane: Lane, write: Write, index: number): void {
    if (write.since === null && !write.mayHaveBeenSent) write.since = this.#owner.logTime()
    write.mayHaveBeenSent = true
    write.round = lane.round
    const { retry, ports } = this.#options
    // After the last send there is nothing to put off: only its answer is waited for.
    const isLast = write.sends >= retry.maxRetries
    const backoff = backoffMs(write.sends, retry, ports.random)
    const delayMs = isLast ? Math.min(ANSWER_MS, backoff) : backoff
    write.dueMs = ports.clock.monotonicMs() + delayMs
    write.sends++
    const frame: WithoutId = {
      ...write.draft,
      prev: lane.previous(index),
      since: write.since ?? undefined,
    }
    const { round } = lane
    this.#owner.request(frame, (answer) => this.#answered(lane, write, round, answer))
    this.#armTimer(write.dueMs)
  }

  #answered(lane: Lane, write: Write, round: number, answer: ServerFrame): void {
    if (!isFailure(answer)) {
      lane.failures = 0
      this.#settle(write, answer as WriteAnswer)
      return
    }
    // Answered already by another copy: the refusal of this one says nothing.
    if (this.#laneOf.get(write) !== lane) return
    const { error } = answer
    if (error.code === 'WINDOW_EXPIRED') this.#search(lane, write, error)
    else if (!error.retryable) {
      lane.failures = 0
      this.#fail(write, ChatError.fromWire(error))
      this.#pump(lane)
    } else if (round === lane.round && !lane.isPaused) {
      if (error.code !== 'OUT_OF_ORDER') holdUp(lane, ChatError.fromWire(error))
      this.#rewind(lane, error)
    }
  }

  /** Sends everything of the lane again, oldest first, at once or after a while. */
  #rewind(lane: Lane, error: WireError): void {
    const { clock, random } = this.#options.ports
    const isFirst = lane.failures === 0
    const delayMs =
      error.retryAfterMs ??
      (error.code === 'OUT_OF_ORDER' && isFirst
        ? 0
        : backoffMs(lane.failures, this.#options.retry, random))
    lane.failures++
    this.#recall(lane)
    lane.pause = clock.after(delayMs, () => {
      lane.pause = null
      this.#pump(lane)
    })
    if (this.#isSaturated) this.#pumpAll()
  }

  /** Nothing of the lane counts as being on the wire any more. */
  #recall(lane: Lane): void {
    lane.round++
    for (const write of lane.writes) {
      if (!write.isInFlight) continue
      write.isInFlight = false
      this.#inFlight--
    }
    assert(this.#inFlight >= 0, 'writes in flight are counted once')
  }

  #settle(write: Write, answer: WriteAnswer): void {
    // A late answer to one that was given up as unknown still tells what became of it.
    this.#forget(write)
    write.onSettled(answer)
  }

  #fail(write: Write, error: ChatError): boolean {
    const wasThere = this.#forget(write)
    if (wasThere) write.onFailed(error)
    return wasThere
  }

  #forget(write: Write): boolean {
    const lane = this.#laneOf.get(write)
    if (lane === undefined) return false
    this.#laneOf.delete(write)
    this.#writes.delete(write.draft.msgId)
    lane.remove(write)
    this.#bytes -= write.bytes
    if (write.isInFlight) {
      write.isInFlight = false
      this.#inFlight--
    }
    if (lane.writes.length === 0) {
      lane.resume()
      this.#lanes.delete(lane.key)
    } else this.#pump(lane)
    if (this.#isSaturated) this.#pumpAll()
    if (this.#writes.size === 0) {
      this.#stopTimer()
      this.#owner.onActivity()
      const waiters = this.#emptyWaiters
      this.#emptyWaiters = []
      for (const resolve of waiters) resolve()
    }
    return true
  }

  #search(lane: Lane, write: Write, error: WireError): void {
    if (lane.isHeld) return
    lane.isHeld = true
    this.#recall(lane)
    const finish = (verdict: 'resend' | 'unknown' | WriteAnswer): void => {
      lane.isHeld = false
      if (this.#laneOf.get(write) !== lane) return this.#pump(lane)
      if (verdict === 'resend') {
        // It is not there, so this is its first time: the window counts from here.
        write.since = this.#owner.logTime()
        this.#pump(lane)
      } else if (verdict === 'unknown') {
        this.#fail(write, new ChatError(error.code, error.message, { outcome: 'unknown' }))
      } else this.#settle(write, verdict)
      this.#pump(lane)
    }
    this.#owner.findInHistory(write).then(finish, () => finish('unknown'))
  }

  #armTimer(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = dueMs
    const { clock } = this.#options.ports
    const delayMs = Math.max(0, dueMs - clock.monotonicMs())
    this.#timer = clock.after(delayMs, () => {
      this.#timer = null
      this.#timerDueMs = Infinity
      this.#retryDue()
    })
  }

  #stopTimer(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerDueMs = Infinity
  }

  /** Sends again what got no answer in time on a live session, and gives up after enough of that. */
  #retryDue(): void {
    if (!this.#owner.isOnline()) return
    const now = this.#options.ports.clock.monotonicMs()
    let nextMs = Infinity
    for (const lane of [...this.#lanes.values()]) {
      for (const write of [...lane.writes]) {
        if (!write.isInFlight) continue
        if (write.dueMs <= now) {
          if (write.sends > this.#options.retry.maxRetries) {
            this.#fail(write, unanswered(write))
            continue
          }
          const index = lane.writes.indexOf(write)
          this.#transmit(lane, write, index)
        }
        nextMs = Math.min(nextMs, write.dueMs)
      }
    }
    if (nextMs !== Infinity) this.#armTimer(nextMs)
  }
}

/** A node that is alive answers within this time, if only that it does not know (rule A6). */
export const ANSWER_MS = 6000

const unanswered = (write: Write): ChatError =>
  new ChatError('OUTCOME_UNKNOWN', `no answer after ${write.sends} sends; retry() asks again`, {
    outcome: 'unknown',
  })

/** What is on the wire with a write that was refused meets the same, or waits behind it. */
function holdUp(lane: Lane, error: ChatError): void {
  for (const write of lane.writes) if (write.isInFlight) write.onHeldUp?.(error)
}
