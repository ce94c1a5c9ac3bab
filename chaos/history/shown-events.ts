import type { Moment, SendRecord, ShownEvent, WireEvent } from './history.ts'

type Find = (conv: string, user: string, msgId: string) => SendRecord | null

/**
 * Every distinct content that anybody was ever shown at a seq. Thousands of pages show the same few
 * events, so each is kept once: what is stored and judged grows with what differs.
 */
export class ShownEvents {
  /** By conversation and seq; more than one content at a seq is a violation of P3. */
  readonly #byConversation = new Map<string, ShownEvent[][]>()
  readonly #heads = new Map<string, number>()
  readonly #find: Find

  constructor(find: Find) {
    this.#find = find
  }

  /** The content as it was first shown; `by` says who was, if nobody was before. */
  intern(conv: string, wire: WireEvent, moment: Moment, by: () => string): ShownEvent {
    let bySeq = this.#byConversation.get(conv)
    if (bySeq === undefined) this.#byConversation.set(conv, (bySeq = []))
    const { seq } = wire
    const contents = (bySeq[seq] ??= [])
    for (const known of contents) if (isSame(known, wire)) return known
    const isMessage = (wire.kind ?? 'message') === 'message'
    const send = isMessage ? this.#find(conv, wire.from ?? '', wire.msgId ?? '') : null
    if (send !== null) send.seen ??= seq
    const event: ShownEvent = {
      conv,
      seq,
      kind: wire.kind ?? 'message',
      ord: wire.ord ?? 0,
      // Of equal strings the sender's: they are there already, and these are parts of a message.
      msgId: send?.msgId ?? wire.msgId ?? '',
      from: send?.user ?? wire.from ?? '',
      device: own(send?.device, wire.device ?? ''),
      at: wire.at ?? 0,
      body: own(send?.body, textOf(wire.body)),
      replyTo: wire.replyTo ?? null,
      shown: moment,
      by: by(),
      send,
    }
    contents.push(event)
    this.reach(conv, seq)
    return event
  }

  /** Somebody was told that the conversation goes as far as `seq`. */
  reach(conv: string, seq: number): void {
    if ((this.#heads.get(conv) ?? 0) < seq) this.#heads.set(conv, seq)
  }

  /** The highest seq of the conversation that anybody was told of, 0 for none. */
  headOf(conv: string): number {
    return this.#heads.get(conv) ?? 0
  }

  get conversations(): Iterable<string> {
    return this.#byConversation.keys()
  }

  /** The contents shown in a conversation by rising seq, those of one seq in the order shown. */
  *of(conv: string): Generator<readonly ShownEvent[]> {
    for (const contents of this.#byConversation.get(conv) ?? []) {
      if (contents !== undefined) yield contents
    }
  }

  /** All of all conversations. */
  *all(): Generator<ShownEvent> {
    for (const conv of this.#byConversation.keys()) {
      for (const contents of this.of(conv)) yield* contents
    }
  }
}

const own = (mine: string | undefined, text: string): string => (mine === text ? mine : text)

/** Senders write text; what the product itself writes (members, settings) is compared as JSON. */
function textOf(body: unknown): string {
  return typeof body === 'string' ? body : (JSON.stringify(body) ?? '')
}

function isSame(known: ShownEvent, wire: WireEvent): boolean {
  return (
    known.msgId === (wire.msgId ?? '') &&
    known.from === (wire.from ?? '') &&
    known.device === (wire.device ?? '') &&
    known.ord === (wire.ord ?? 0) &&
    known.at === (wire.at ?? 0) &&
    known.kind === (wire.kind ?? 'message') &&
    known.replyTo === (wire.replyTo ?? null) &&
    known.body === textOf(wire.body)
  )
}
