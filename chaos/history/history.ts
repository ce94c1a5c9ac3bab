import { type Features, noFeatures } from './features.ts'
import { ShownEvents } from './shown-events.ts'

/** Where in the history something stands: 1, 2, 3 … in the order the driver saw it happen. */
export type Moment = number

/** A final answer to one copy of a write: accepted at `seq`, or `refused` with a code for good. */
export interface Verdict {
  readonly moment: Moment
  /** Which device asked: copies may come from another one. */
  readonly device: string
  /** Which node gave it, as the client knows it. */
  readonly node: string
  readonly seq: number | null
  readonly at: number | null
  readonly ord: number | null
  readonly duplicate: boolean
  readonly refused: string | null
  /** The copy carried another body than the write: it must never be accepted (rule A2). */
  readonly forged: boolean
  /** Of the message that brought it (rule B2). */
  readonly mark: string | null
}

/** One write as its sender saw it. */
export interface SendRecord {
  readonly conv: string
  readonly user: string
  readonly device: string
  readonly msgId: string
  /** Counts this device's writes to this conversation in the order it made them, from 1. */
  readonly order: number
  readonly body: string
  /** The write that its first copy named as the one before it (rule A4). */
  readonly prev: string | null
  readonly replyTo: number | null
  readonly invoked: Moment
  /** The seq of the first acceptance, `null` while there is none. */
  acked: number | null
  /** When that came, `Infinity` while it has not. */
  ackedAt: Moment
  /** The first seq at which anybody was shown it. */
  seen: number | null
  /** A final refusal: certainly not stored. */
  refused: string | null
  /** Its sender gave it up with an unknown outcome: what came after it did not wait for it. */
  abandoned: boolean
  readonly verdicts: Verdict[]
}

/** One event as a reader found it in a conversation. */
export interface ReadEvent {
  readonly seq: number
  /** `message` for what senders wrote; the others take a seq too. */
  readonly kind: string
  readonly ord: number
  readonly msgId: string
  readonly from: string
  readonly device: string
  readonly at: number
  readonly body: string
  readonly replyTo: number | null
}

/** A distinct content of a seq, with who was shown it first. */
export interface ShownEvent extends ReadEvent {
  readonly conv: string
  readonly shown: Moment
  readonly by: string
  /** The write that it is, by its key, if that was known when it was first shown. */
  readonly send: SendRecord | null
}

/** Where the write stands, as its sender was told or anybody was shown. */
export function placeOf({ acked, seen }: SendRecord): number | null {
  return acked ?? seen
}

/** An answered `pull`: the page after `after`, complete up to `upTo`. */
export interface ReadRecord {
  readonly device: string
  readonly conv: string
  readonly node: string
  readonly linearizable: boolean
  /** The newest mark that its device had handed over, with the hello or the request (rule B2). */
  readonly rests: string | null
  readonly asked: Moment
  readonly answered: Moment
  readonly after: number
  readonly upTo: number
  readonly hasMore: boolean
  readonly events: readonly ShownEvent[]
  readonly mark: string | null
}

/** What one session was pushed; without `event` a bare notify. */
export interface PushRecord {
  readonly device: string
  /** Counts the connections of the device. */
  readonly session: number
  readonly conv: string
  readonly node: string
  readonly seq: number
  readonly event: ShownEvent | null
  readonly shown: Moment
  readonly mark: string | null
}

/** An event that an SDK client handed to its application, in a stream of one life of it. */
export interface Delivery {
  readonly device: string
  readonly stream: string
  readonly conv: string
  /** What rises by one from each event of the conversation to the next: a stream of messages has no others. */
  readonly counted: 'seq' | 'ord'
  readonly event: ShownEvent
  readonly shown: Moment
}

/** A user's whole inbox, as one node told it in the end. */
export interface FinalInbox {
  readonly node: string
  readonly user: string
  readonly entries: readonly {
    readonly inbox: number
    readonly conv: string
    readonly seq: number
  }[]
}

/** Everything that one node holds of one conversation, read after the faults were healed. */
export interface FinalRead {
  readonly node: string
  readonly conv: string
  readonly events: readonly ShownEvent[]
}

/** How the run came to rest after its last fault; times in ms, `null` for what never happened. */
export interface Recovery {
  /** The longest tick of the nodes. */
  readonly tickMs: number
  readonly healedMs: number
  leaderMs: number | null
  /** Every write has its verdict. */
  settledMs: number | null
  /** All nodes hold the same, without a further write. */
  equalMs: number | null
  /** Where each node stood at the end. */
  positions: readonly NodePosition[]
}

export interface NodePosition {
  readonly node: string
  readonly applied: number
  readonly stateHash: string
  /** Raft ids, sorted. */
  readonly voters: readonly string[]
}

/** A page as the wire gave it. */
export interface Page {
  readonly events: readonly WireEvent[]
  readonly after: number
  readonly upTo: number
  readonly hasMore: boolean
  readonly mark: string | null
}

/** An event as the wire shows it; fields beyond these are ignored. */
export interface WireEvent {
  readonly seq: number
  readonly kind?: string
  readonly ord?: number
  readonly msgId?: string
  readonly from?: string
  readonly device?: string
  readonly at?: number
  readonly body?: unknown
  readonly replyTo?: number | null
}

/** A read that was asked for and not answered yet. */
export type AskedRead = Pick<
  ReadRecord,
  'device' | 'conv' | 'node' | 'linearizable' | 'rests' | 'asked'
>

type NewSend = Omit<
  SendRecord,
  | 'prev'
  | 'replyTo'
  | 'invoked'
  | 'acked'
  | 'ackedAt'
  | 'seen'
  | 'refused'
  | 'abandoned'
  | 'verdicts'
> &
  Partial<Pick<SendRecord, 'prev' | 'replyTo'>>

type Acceptance = Pick<Verdict, 'seq' | 'duplicate'> &
  Partial<Pick<Verdict, 'at' | 'ord' | 'device' | 'node' | 'mark' | 'forged'>>

/** Refusals that leave it open whether an earlier copy was stored (rule A3). */
const OPEN_REFUSALS = new Set(['WINDOW_EXPIRED', 'OUTCOME_UNKNOWN'])

/**
 * What a run did and what it left behind: all that the checkers look at. One driver records
 * everything as it happens, so moments are an exact real-time order of invocations and answers.
 */
export class History {
  readonly sends: SendRecord[] = []
  readonly reads: ReadRecord[] = []
  readonly pushes: PushRecord[] = []
  readonly deliveries: Delivery[] = []
  readonly finals: FinalRead[] = []
  readonly inboxes: FinalInbox[] = []
  /** Everything beside messages, in conversations of its own. */
  features: Features = noFeatures()
  readonly shown = new ShownEvents((conv, user, msgId) => this.find(conv, user, msgId))
  /** Reads asked for, answered or not. */
  readonly asked = { linearizable: 0, session: 0 }
  /** How often each fault was tried, and how often something came of it. */
  readonly faults = new Map<string, { injected: number; evident: number }>()
  recovery: Recovery | null = null
  /** How many sends have an acknowledgement. */
  acknowledgedCount = 0
  readonly #clock: () => number
  readonly #times: number[] = [0]
  readonly #texts = new Map<string, string>()
  /** By conversation, user and msgId. */
  readonly #byKey = new Map<string, Map<string, Map<string, SendRecord>>>()

  /** `clock` gives ms for evidence; the checkers themselves compare moments. */
  constructor(clock: () => number = () => 0) {
    this.#clock = clock
  }

  /** A moment in ms of the driver's clock, for evidence. */
  when(moment: Moment): string {
    const ms = this.#times[moment]
    return ms === undefined ? 'never' : `${ms.toFixed(1)} ms`
  }

  send(record: NewSend): SendRecord {
    const full: SendRecord = {
      prev: null,
      replyTo: null,
      ...record,
      invoked: this.moment(),
      acked: null,
      ackedAt: Infinity,
      seen: null,
      refused: null,
      abandoned: false,
      verdicts: [],
    }
    this.sends.push(full)
    const { conv, user, msgId } = full
    let ofConv = this.#byKey.get(conv)
    if (ofConv === undefined) this.#byKey.set(conv, (ofConv = new Map()))
    let ofUser = ofConv.get(user)
    if (ofUser === undefined) ofConv.set(user, (ofUser = new Map()))
    if (!ofUser.has(msgId)) ofUser.set(msgId, full)
    return full
  }

  /** The first write with that key. */
  find(conv: string, user: string, msgId: string): SendRecord | null {
    return this.#byKey.get(conv)?.get(user)?.get(msgId) ?? null
  }

  /** A copy of the write was accepted: the first or a repeated one. */
  accept(send: SendRecord, { seq, duplicate, ...rest }: Acceptance): void {
    const moment = this.moment()
    const { at = null, ord = null, node = '', mark = null, forged = false } = rest
    const { device = send.device } = rest
    const told = { at, ord, node, device, mark: this.#kept(mark), forged }
    send.verdicts.push({ moment, seq, duplicate, refused: null, ...told })
    if (forged || send.acked !== null) return
    send.acked = seq
    send.ackedAt = moment
    this.acknowledgedCount += 1
    this.shown.reach(send.conv, seq!)
  }

  /** A copy of the write was refused for good. */
  refuse(send: SendRecord, code: string, node = '', forged = false): void {
    const [seq, at, ord, mark] = [null, null, null, null]
    const told = { node, device: send.device, seq, at, ord, mark, forged }
    send.verdicts.push({ moment: this.moment(), duplicate: false, refused: code, ...told })
    if (!forged && send.acked === null && !OPEN_REFUSALS.has(code)) send.refused ??= code
  }

  ask(read: Omit<AskedRead, 'asked'>): AskedRead {
    this.asked[read.linearizable ? 'linearizable' : 'session'] += 1
    return { ...read, rests: this.#kept(read.rests), asked: this.moment() }
  }

  answer(read: AskedRead, page: Page): void {
    const moment = this.moment()
    const { device, node, conv } = read
    const by = () => `a read by ${device} on ${node}`
    const events = this.#show(conv, page.events, moment, by)
    const { after, upTo, hasMore } = page
    const mark = this.#kept(page.mark)
    this.reads.push({ ...read, answered: moment, after, upTo, hasMore, mark, events })
  }

  push(push: Omit<PushRecord, 'shown' | 'event' | 'seq'>, wire: WireEvent): void {
    const moment = this.moment()
    const { device, session, node } = push
    const conv = this.#kept(push.conv)!
    const mark = this.#kept(push.mark)
    const by = () => `a push to ${device} from ${node}`
    const bare = wire.msgId === undefined
    const event = bare ? null : this.shown.intern(conv, wire, moment, by)
    const { seq } = wire
    this.shown.reach(conv, seq)
    this.pushes.push({ device, session, conv, node, seq, event, shown: moment, mark })
  }

  deliver(delivery: Omit<Delivery, 'shown' | 'event'>, wire: WireEvent): void {
    const shown = this.moment()
    const by = () => `the stream of ${delivery.stream}`
    const [event] = this.#show(delivery.conv, [wire], shown, by)
    this.deliveries.push({ ...delivery, event: event!, shown })
  }

  final({
    node,
    conv,
    events,
  }: {
    node: string
    conv: string
    events: readonly WireEvent[]
  }): void {
    const by = () => `the final read on ${node}`
    const shown = this.#show(conv, events, this.moment(), by)
    this.finals.push({ node, conv, events: shown })
  }

  finalInbox(inbox: FinalInbox): void {
    this.inboxes.push(inbox)
  }

  /** A fault was tried, and `evident` says whether something came of it. */
  fault(kind: string, { injected, evident }: { injected: number; evident: number }): void {
    const before = this.faults.get(kind) ?? { injected: 0, evident: 0 }
    this.faults.set(kind, {
      injected: before.injected + injected,
      evident: before.evident + evident,
    })
  }

  /** All that is recorded came before this one. */
  get moments(): Moment {
    return this.#times.length
  }

  get acknowledged(): readonly SendRecord[] {
    return this.sends.filter((send) => send.acked !== null)
  }

  /**
   * One string for all that are equal, of its own: what was cut out of a message would keep the whole
   * message in memory, and several devices are told of the same mark.
   */
  #kept(text: string | null): string | null {
    if (text === null) return null
    let kept = this.#texts.get(text)
    if (kept === undefined) {
      kept = Buffer.from(text).toString()
      this.#texts.set(kept, kept)
    }
    return kept
  }

  /** Now: later than all that is recorded. */
  moment(): Moment {
    return this.#times.push(this.#clock()) - 1
  }

  #show(
    conv: string,
    events: readonly WireEvent[],
    moment: Moment,
    by: () => string,
  ): ShownEvent[] {
    return events.map((event) => this.shown.intern(conv, event, moment, by))
  }
}

/** `P1`… and `R1`… name the properties of `chaos/SPEC.md`. */
export interface Violation {
  readonly property: string
  readonly message: string
}

/** History in, violations out, the earliest first. */
export type Checker = (history: History) => Violation[]
