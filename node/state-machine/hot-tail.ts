import { assert } from '#cluster'
import { CommandView } from './command-view.ts'
import type { Conversation } from './conversation-state.ts'
import { StoredEvent } from './stored-event.ts'

const SEGMENT = 512
/** What an event costs beside its bytes: columns here, a number in its conversation. */
const EVENT_OVERHEAD_BYTES = 72

/**
 * The newest events of all conversations, in apply order: one queue of columns, no object per event.
 * Bodies stay where they came in, as parts of log entries. Only written events leave, oldest first,
 * once the bytes pass the bound.
 */
export class HotTail {
  readonly #maxBytes: number
  #segments: Segment[] = []
  /** Number of the first event of the first segment; events are numbered from 0 for ever. */
  #base = 0
  #first = 0
  #next = 0
  #written = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#next - this.#first
  }

  /** Number of the oldest event that no completed cut holds. */
  get firstUnwritten(): number {
    return this.#written
  }

  /** Number that the next event gets. */
  get next(): number {
    return this.#next
  }

  /** Appends the event that the command in `view` became; the conversation's head is its seq. */
  push(conversation: Conversation, view: CommandView): void {
    const number = this.#next
    if (number - this.#base === this.#segments.length * SEGMENT) this.#segments.push(new Segment())
    const at = number % SEGMENT
    const segment = this.#segments[this.#segments.length - 1]!
    segment.conversation[at] = conversation
    segment.data[at] = view.data
    segment.start[at] = view.start
    segment.end[at] = view.end
    segment.seq[at] = conversation.head
    segment.ord[at] = conversation.ord
    segment.at[at] = conversation.lastAt
    segment.logTime[at] = conversation.lastLogTime
    this.#next = number + 1
    this.#bytes += view.end - view.start + EVENT_OVERHEAD_BYTES
    conversation.pushHot(number)
  }

  get(number: number): StoredEvent {
    assert(number >= this.#first && number < this.#next, `event ${number} is not hot`)
    const segment = this.#segments[Math.floor((number - this.#base) / SEGMENT)]!
    const at = number % SEGMENT
    const view = new CommandView(segment.data[at]!, segment.start[at]!, segment.end[at]!)
    return new StoredEvent(
      segment.seq[at]!,
      segment.ord[at]!,
      segment.at[at]!,
      segment.logTime[at]!,
      view,
    )
  }

  /** Log time of the event, without decoding it. */
  logTime(number: number): number {
    assert(number >= this.#first && number < this.#next, `event ${number} is not hot`)
    return this.#segments[Math.floor((number - this.#base) / SEGMENT)]!.logTime[number % SEGMENT]!
  }

  /** Calls `write` with the raw parts of the event: what a chunk stores of it. */
  visit(number: number, write: (event: RawEvent) => void): void {
    assert(number >= this.#first && number < this.#next, `event ${number} is not hot`)
    const segment = this.#segments[Math.floor((number - this.#base) / SEGMENT)]!
    const at = number % SEGMENT
    raw.data = segment.data[at]!
    raw.start = segment.start[at]!
    raw.end = segment.end[at]!
    raw.seq = segment.seq[at]!
    raw.ord = segment.ord[at]!
    raw.at = segment.at[at]!
    raw.logTime = segment.logTime[at]!
    write(raw)
  }

  /** Every event below `number` is in a completed cut. */
  written(number: number): void {
    assert(number >= this.#written && number <= this.#next, 'written events go backwards')
    this.#written = number
  }

  /** Lets written events go until the rest fits. */
  evict(): void {
    while (this.#bytes > this.#maxBytes && this.#first < this.#written) {
      const segment = this.#segments[0]!
      const at = this.#first % SEGMENT
      segment.conversation[at]!.popHot(segment.seq[at]!, segment.logTime[at]!)
      this.#bytes -= segment.end[at]! - segment.start[at]! + EVENT_OVERHEAD_BYTES
      segment.conversation[at] = null
      segment.data[at] = null
      this.#first += 1
      if (this.#first % SEGMENT === 0) {
        this.#segments.shift()
        this.#base = this.#first
      }
    }
  }
}

/** The parts of one event where they lie. Valid during the call it is passed to. */
export interface RawEvent {
  data: Buffer
  start: number
  end: number
  seq: number
  ord: number
  at: number
  logTime: number
}

const raw: RawEvent = { data: Buffer.alloc(0), start: 0, end: 0, seq: 0, ord: 0, at: 0, logTime: 0 }

class Segment {
  readonly conversation: (Conversation | null)[] = new Array<Conversation | null>(SEGMENT).fill(
    null,
  )
  readonly data: (Buffer | null)[] = new Array<Buffer | null>(SEGMENT).fill(null)
  readonly start = new Uint32Array(SEGMENT)
  readonly end = new Uint32Array(SEGMENT)
  readonly seq = new Float64Array(SEGMENT)
  readonly ord = new Float64Array(SEGMENT)
  readonly at = new Float64Array(SEGMENT)
  readonly logTime = new Float64Array(SEGMENT)
}
