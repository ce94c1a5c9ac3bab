import { setTimeout as sleep } from 'node:timers/promises'
import { isFailure, type PullAnswer, type SyncAnswer } from '#protocol'
import { AskingSession } from './asking-session.ts'
import type { Load, Verdict } from './load.ts'
import type { LoadTarget } from './load-target.ts'
import type { Meter } from './meter.ts'
import { type Pace, Pacer, type Paced } from './pacer.ts'
import { SendLoad, type Shape } from './send-load.ts'
import { ConnectError } from './wire-connection.ts'

export interface SyncShape extends Shape {
  /** Messages that wait for each user. */
  readonly backlog: number
}

const FILL_IN_FLIGHT = 200
const FILL_MS = 10 * 60_000
const PAGE = 1_000
const AFTER_ERROR_MS = 20
/** Past this many at a time nobody comes back any more. */
const MOST_UNDER_WAY = 1_000
const END_MS = 15_000

/**
 * Devices that come back: each connects, gets all that waits for its user, and leaves. What is there
 * was sent before; each device must be shown all of it, in order.
 */
export class SyncLoad implements Load, Paced {
  readonly #target: LoadTarget
  readonly #sends: SendLoad
  readonly #messages: number
  /** Messages that each user must be shown. */
  #expected: number[] = []
  #mark: string | undefined
  #meter: Meter | null = null
  #pacer: Pacer | null = null
  /** Devices that nobody uses: two sessions of one device end each other. */
  readonly #freeDevices: number[] = []
  #devices = 0
  readonly #sessions = new Set<AskingSession>()
  #isClosed = false
  #next = 0
  #underWay = 0
  #wrong = 0
  #firstWrong: string | null = null

  constructor(target: LoadTarget, shape: SyncShape) {
    this.#target = target
    this.#sends = new SendLoad(target, shape)
    this.#messages = this.#sends.receivers.length * shape.backlog
  }

  get underWay(): number {
    return this.#underWay
  }

  /** Sends what is to wait. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#sends.open()
    const enough = new AbortController()
    let acknowledged = 0
    const listener = {
      began: () => {},
      acknowledged: () => {
        acknowledged += 1
        if (acknowledged >= this.#messages) enough.abort()
      },
      refused: () => {},
      unknown: () => {},
    }
    await this.#sends.send(
      listener,
      { kind: 'closed', inFlight: Math.min(FILL_IN_FLIGHT, this.#messages) },
      {
        untilMs: performance.now() + FILL_MS,
        signal: AbortSignal.any([signal, enough.signal]),
        onEnd: () => {},
      },
    )
    await this.#sends.close()
    if (signal.aborted) return
    const { ledger, receivers } = this.#sends
    this.#expected = receivers.map((_, receiver) =>
      this.#sends.conversationsOf(receiver).reduce((sum, at) => sum + ledger.acknowledgedIn(at), 0),
    )
    this.#mark = await this.#markOfAll()
  }

  async run(
    meter: Meter,
    pace: Pace,
    { untilMs, signal }: { untilMs: number; signal: AbortSignal },
  ) {
    this.#meter = meter
    this.#pacer = new Pacer(pace, this)
    await this.#pacer.run(untilMs, signal)
    this.#pacer = null
    meter.endAt(performance.now())
    const deadline = performance.now() + END_MS
    while (this.#underWay > 0 && performance.now() < deadline) await sleep(5)
  }

  begin(intendedMs: number): void {
    const meter = this.#meter
    this.#underWay += 1
    meter?.began(intendedMs, performance.now())
    const ended = (delayMs: number) =>
      setTimeout(() => {
        this.#underWay -= 1
        this.#pacer?.refill()
      }, delayMs).unref()
    if (this.#underWay > MOST_UNDER_WAY) {
      meter?.failed(intendedMs, 'NOT_SENT')
      ended(AFTER_ERROR_MS)
      return
    }
    const user = this.#next
    this.#next = (user + 1) % this.#sends.receivers.length
    const device = this.#freeDevices.pop() ?? this.#devices++
    this.#comeBack(user, device).then(
      () => {
        this.#freeDevices.push(device)
        meter?.succeeded(intendedMs, performance.now())
        ended(0)
      },
      (error: Error) => {
        this.#freeDevices.push(device)
        meter?.failed(intendedMs, error instanceof ConnectError ? error.code : error.message)
        ended(AFTER_ERROR_MS)
      },
    )
  }

  flush(): void {}

  async close(): Promise<void> {
    this.#isClosed = true
    for (const session of this.#sessions) session.close()
    await sleep(0)
  }

  async verify(onProgress?: (done: number, all: number) => void): Promise<Verdict> {
    const { stored } = await this.#sends.verify(onProgress)
    return { stored, wrong: this.#wrong, firstWrong: this.#firstWrong }
  }

  async #comeBack(user: number, device: number): Promise<void> {
    const session = await AskingSession.open({
      target: this.#target,
      user: this.#sends.receivers[user]!,
      device: `bench-${device}`,
      first: device,
      patienceMs: 0,
    })
    this.#sessions.add(session)
    try {
      if (this.#isClosed) throw new ConnectError('UNANSWERED', 'too late')
      const newest = new Map<string, number>()
      let came = 0
      for (let after = 0, hasMore = true; hasMore;) {
        const mark = this.#mark === undefined ? {} : { mark: this.#mark }
        const answer = await session.ask({
          t: 'sync:R',
          after,
          limit: PAGE,
          bodies: 'full',
          ...mark,
        })
        if (isFailure(answer)) throw new ConnectError(answer.error.code, answer.error.message)
        const page = answer as SyncAnswer
        for (const { conv, seq } of page.events) {
          const before = newest.get(conv) ?? 0
          if (seq !== before + 1)
            this.#found(`after message ${before} of a conversation came ${seq}`)
          newest.set(conv, seq)
          came += 1
        }
        if (page.hasMore && page.next <= after) throw new Error('sync:A does not go on')
        after = page.next
        hasMore = page.hasMore
      }
      const expected = this.#expected[user]!
      if (came < expected) this.#found(`a device was shown ${came} of ${expected} messages`)
    } finally {
      this.#sessions.delete(session)
      session.close()
    }
  }

  #found(what: string): void {
    this.#wrong += 1
    this.#firstWrong ??= what
  }

  /** Of a state that has all that was acknowledged: no node shows a device an older one. */
  async #markOfAll(): Promise<string | undefined> {
    const { ledger, receivers } = this.#sends
    const conv = ledger.idOf(0)
    if (conv === null) return undefined
    const session = await AskingSession.open({
      ...{ target: this.#target, user: receivers[0]!, device: 'reader', first: 0 },
    })
    try {
      const answer = await session.ask({
        ...{ t: 'pull:R', conv, after: 0, limit: 1, read: 'linearizable' },
      })
      if (isFailure(answer)) throw new ConnectError(answer.error.code, answer.error.message)
      return (answer as PullAnswer).mark
    } finally {
      session.close()
    }
  }
}
