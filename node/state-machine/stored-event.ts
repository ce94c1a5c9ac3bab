import { assert } from '#cluster'
import type { ByteWriter } from './byte-writer.ts'
import { CommandKind } from './commands.ts'
import { CommandView } from './command-view.ts'
import { eventBody, eventKindOf } from './event-body.ts'
import type { RawEvent } from './hot-tail.ts'
import type { ConversationEvent } from './types.ts'

const HEAD_BYTES = 28
/** Stands for `ord` in an event that was erased for good. */
const CUT_ORD = 2 ** 48 - 1

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

/**
 * Overwrites what the event at `at` of a chunk says. Lengths stay, so that nothing else of the chunk
 * moves, and so does who wrote it when: a stub is read as before. `isCut` marks it as one that nobody
 * reads again.
 */
export function eraseEvent(chunk: Buffer, at: number, isCut: boolean): void {
  const { event, next } = StoredEvent.read(chunk, at, chunk.length)
  const { view } = event
  const says = view.kind === CommandKind.message || view.kind === CommandKind.edit
  if (isCut) {
    chunk.fill(0, view.payloadStart, next)
    chunk.writeUIntLE(CUT_ORD, at + 10, 6)
  } else if (says) {
    chunk.fill(0, next - view.body().length, next)
  }
}

/** Whether every event of the chunk was erased as one that nobody reads again. */
export function isChunkDead(chunk: Buffer): boolean {
  for (let at = 0; at < chunk.length;) {
    const { event, next } = StoredEvent.read(chunk, at, chunk.length)
    if (event.ord !== CUT_ORD) return false
    at = next
  }
  return true
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
