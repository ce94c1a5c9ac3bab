import type { WireEvent } from './protocol/frames.ts'
import { decodeMsgpack } from './protocol/msgpack-codec.ts'
import { encodePlainFrame } from './protocol/plain-frame.ts'
import type { StoredEvent } from './store/client-store.ts'

/** What is to be written so that the store holds what `Received` does. */
export interface ReceivedChange {
  readonly events: readonly StoredEvent[]
  readonly dropEvents: readonly Pick<StoredEvent, 'conv' | 'seq'>[]
}

interface Entry {
  readonly conv: string
  readonly seq: number
  readonly event: WireEvent
  readonly bytes: number
}

/**
 * The events that reached this device and were not yet acknowledged by the application: the first of
 * the two phases of receiving, the second being the cursors. Bounded: beyond it the oldest leave,
 * which are pulled again when somebody asks for them.
 */
export class Received {
  readonly #maxEvents: number
  readonly #maxBytes: number
  /** In the order of their coming. */
  readonly #entries = new Set<Entry>()
  readonly #byConversation = new Map<string, Map<number, Entry>>()
  #bytes = 0

  constructor(maxEvents: number, maxBytes: number) {
    this.#maxEvents = maxEvents
    this.#maxBytes = maxBytes
  }

  load(stored: readonly StoredEvent[]): void {
    for (const { conv, frame } of stored) {
      const [event] = decodeMsgpack(frame, 'toClient', UNLIMITED)
      this.#put(conv, event as unknown as WireEvent, frame.length)
    }
  }

  add(events: readonly { readonly conv: string; readonly event: WireEvent }[]): ReceivedChange {
    const added = new Map<Entry, StoredEvent>()
    const dropped: Entry[] = []
    const put = (conv: string, event: WireEvent): void => {
      const stored = toStored(conv, event)
      const entry = this.#put(conv, event, stored.frame.length)
      added.set(entry, stored)
    }
    for (const { conv, event } of events) {
      const target = this.#byConversation.get(conv)?.get(event.target ?? 0)
      const changed = target === undefined ? null : withChange(target.event, event)
      if (changed !== null) put(conv, changed)
      put(conv, event)
    }
    for (const entry of this.#entries) {
      if (this.#entries.size <= this.#maxEvents && this.#bytes <= this.#maxBytes) break
      this.#remove(entry)
      if (!added.delete(entry)) dropped.push(entry)
    }
    // One that came twice is there once, as it was the last time.
    const isThere = (entry: Entry) => this.#entries.has(entry)
    return {
      events: [...added].flatMap(([entry, stored]) => (isThere(entry) ? [stored] : [])),
      dropEvents: dropped.map(({ conv, seq }) => ({ conv, seq })),
    }
  }

  /** What follows on `after` without a hole, at most `limit`. */
  after(conv: string, after: number, limit: number): readonly WireEvent[] {
    const entries = this.#byConversation.get(conv)
    const events: WireEvent[] = []
    for (let seq = after + 1; events.length < limit; seq++) {
      const entry = entries?.get(seq)
      if (entry === undefined) break
      events.push(entry.event)
    }
    return events
  }

  /** The application has acknowledged everything up to `upTo`. */
  consume(conv: string, upTo: number): ReceivedChange['dropEvents'] {
    const consumed = [...(this.#byConversation.get(conv)?.values() ?? [])].filter(
      ({ seq }) => seq <= upTo,
    )
    for (const entry of consumed) this.#remove(entry)
    return consumed.map(({ seq }) => ({ conv, seq }))
  }

  clear(): void {
    this.#entries.clear()
    this.#byConversation.clear()
    this.#bytes = 0
  }

  #put(conv: string, event: WireEvent, bytes: number): Entry {
    const { seq } = event
    let entries = this.#byConversation.get(conv)
    if (entries === undefined) this.#byConversation.set(conv, (entries = new Map()))
    const old = entries.get(seq)
    if (old !== undefined) this.#remove(old)
    const entry = { conv, seq, event, bytes }
    this.#byConversation.set(conv, entries.set(seq, entry))
    this.#entries.add(entry)
    this.#bytes += bytes
    return entry
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry)
    this.#bytes -= entry.bytes
    const entries = this.#byConversation.get(entry.conv)!
    entries.delete(entry.seq)
    if (entries.size === 0) this.#byConversation.delete(entry.conv)
  }
}

/** An event shows its present content (rule B1): what an edit or a recall makes of its target. */
function withChange(target: WireEvent, change: WireEvent): WireEvent | null {
  if (change.kind === 'edit') return { ...target, body: change.body, edited: change.seq }
  return change.kind === 'recall' ? { ...target, body: undefined, recalled: true } : null
}

function toStored(conv: string, event: WireEvent): StoredEvent {
  const frame = encodePlainFrame({ ...event, t: 'msg:N', conv, inbox: undefined, mark: undefined })
  return { conv, seq: event.seq, frame }
}

const UNLIMITED = { bodyBytes: Infinity, metaBytes: Infinity }
