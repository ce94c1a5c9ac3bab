import { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import type { ReadEvent, SendRecord } from '../history/history.ts'

/** What a read must show, fixed when it is asked for. */
export interface Expectation {
  readonly device: string
  readonly conv: string
  readonly atLeast: number
  readonly linearizable: boolean
}

export interface ReadResult {
  readonly events: readonly ReadEvent[]
  readonly after: number
  readonly upTo: number
  readonly hasMore: boolean
}

/** A bare one, without sender and msgId, only says that there is something. */
interface PushedEvent {
  readonly conv: string
  readonly seq: number
  readonly from?: string
  readonly msgId?: string
}

/**
 * What clients were shown while the run goes on, and what they may rely on: one message per seq, for
 * everybody and for ever (P3); a page without holes (P4); a linearizable read shows everything that
 * was acknowledged to anybody before it began, another one what its own device knew (P6).
 */
export class ReadLedger {
  readonly #shown = new Map<string, string>()
  readonly #acknowledged = new Map<string, number>()
  readonly #known = new Map<string, number>()
  readonly #pushed = new Map<string, number>()
  readonly #seen = new Map<string, number>()
  readonly #onViolation: (violation: PropertyViolation) => void
  reads = 0
  pushes = 0

  constructor(onViolation: (violation: PropertyViolation) => void) {
    this.#onViolation = onViolation
  }

  highestSeen(conv: string): number {
    return this.#seen.get(conv) ?? 0
  }

  acknowledged(conv: string, seq: number, { user, msgId, device }: SendRecord): void {
    this.#show(conv, seq, `${user} ${msgId}`)
    raise(this.#acknowledged, conv, seq)
    raise(this.#known, `${device} ${conv}`, seq)
  }

  beginRead(device: string, conv: string, linearizable: boolean): Expectation {
    const known = this.#known.get(`${device} ${conv}`) ?? 0
    const atLeast = linearizable ? Math.max(known, this.#acknowledged.get(conv) ?? 0) : known
    return { device, conv, atLeast, linearizable }
  }

  endRead(expectation: Expectation, { events, after, upTo, hasMore }: ReadResult): void {
    const { device, conv, atLeast, linearizable } = expectation
    this.reads += 1
    let next = after + 1
    for (const { seq, from, msgId } of events) {
      if (seq !== next)
        this.#violate('P4', `a page of ${conv} after ${after} has ${seq} for ${next}`)
      next = seq + 1
      this.#show(conv, seq, `${from} ${msgId}`)
      raise(this.#known, `${device} ${conv}`, seq)
    }
    if (!hasMore && upTo < atLeast) {
      const kind = linearizable ? 'linearizable' : 'marked'
      this.#violate(
        'P6',
        `a ${kind} read of ${conv} by ${device} ends at ${upTo}, expected ${atLeast}`,
      )
    }
  }

  /** Within one session what is pushed of a conversation rises; nothing is pushed twice. */
  pushed(device: string, frame: { [field: string]: unknown }): void {
    const { conv, seq, from, msgId } = frame as unknown as PushedEvent
    this.pushes += 1
    raise(this.#seen, conv, seq)
    if (msgId === undefined) return
    this.#show(conv, seq, `${from} ${msgId}`)
    const key = `${device} ${conv}`
    const before = this.#pushed.get(key) ?? 0
    if (seq <= before) this.#violate('P11', `${device} is pushed ${conv}#${seq} after #${before}`)
    this.#pushed.set(key, seq)
    raise(this.#known, key, seq)
  }

  sessionEnded(device: string): void {
    for (const key of this.#pushed.keys())
      if (key.startsWith(`${device} `)) this.#pushed.delete(key)
  }

  #show(conv: string, seq: number, what: string): void {
    const key = `${conv}#${seq}`
    const before = this.#shown.get(key)
    if (before === undefined) this.#shown.set(key, what)
    else if (before !== what) this.#violate('P3', `${key} was ${before}, is ${what}`)
    raise(this.#seen, conv, seq)
  }

  #violate(property: string, message: string): void {
    this.#onViolation(new PropertyViolation(property, message))
  }
}

function raise(map: Map<string, number>, key: string, value: number): void {
  if ((map.get(key) ?? 0) < value) map.set(key, value)
}
