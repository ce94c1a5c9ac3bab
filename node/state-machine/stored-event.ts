import { assert } from '#cluster'
import type { ByteWriter } from './byte-writer.ts'
import { CommandView } from './command-view.ts'
import { eventBody, eventKindOf } from './event-body.ts'
import type { RawEvent } from './hot-tail.ts'
import type { ConversationEvent } from './types.ts'

const HEAD_BYTES = 28

/**
 * An event as memory and store keep it: the command that made it, and what apply gave it. In a chunk:
 *
 *     u32 length of the command   u48 seq   u48 ord   u48 at   u48 log time   command
 */
export class StoredEvent {
  readonly seq: number
  readonly ord: number
  readonly at: number
  readonly logTime: number
  readonly view: CommandView

  constructor(seq: number, ord: number, at: number, logTime: number, view: CommandView) {
    this.seq = seq
    this.ord = ord
    this.at = at
    this.logTime = logTime
    this.view = view
  }

  static write(writer: ByteWriter, event: RawEvent): void {
    const { data, start, end } = event
    writer
      .u32(end - start)
      .u48(event.seq)
      .u48(event.ord)
      .u48(event.at)
      .u48(event.logTime)
    writer.raw(data.subarray(start, end))
  }

  /** Reads one event at `at` of a chunk and says where the next begins. */
  static read(chunk: Buffer, at: number, limit: number): { event: StoredEvent; next: number } {
    assert(at + HEAD_BYTES <= limit, 'a chunk ends inside the head of an event')
    const next = at + HEAD_BYTES + chunk.readUInt32LE(at)
    assert(next <= limit, 'a chunk ends inside an event')
    const event = new StoredEvent(
      chunk.readUIntLE(at + 4, 6),
      chunk.readUIntLE(at + 10, 6),
      chunk.readUIntLE(at + 16, 6),
      chunk.readUIntLE(at + 22, 6),
      new CommandView(chunk, at + HEAD_BYTES, next),
    )
    return { event, next }
  }

  toEvent(): ConversationEvent {
    const { seq, ord, at, logTime, view } = this
    return makeEvent(view, seq, ord, at, logTime)
  }

  /** Bytes it takes in a page, for bounding pages. */
  get bytes(): number {
    return this.view.end - this.view.start + HEAD_BYTES
  }
}

export function makeEvent(
  view: CommandView,
  seq: number,
  ord: number,
  at: number,
  logTime: number,
): ConversationEvent {
  return {
    seq,
    kind: eventKindOf(view),
    ord,
    msgId: view.msgId,
    from: view.user,
    device: view.device,
    at,
    logTime,
    body: eventBody(view),
    replyTo: view.replyTo,
    target: view.target,
    large: view.large,
    edited: null,
    recalled: false,
    expired: false,
  }
}
