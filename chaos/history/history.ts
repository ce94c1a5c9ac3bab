/** One write as its sender saw it. */
export interface SendRecord {
  readonly conv: string
  readonly user: string
  readonly device: string
  readonly msgId: string
  /** Counts this device's writes to this conversation in the order it made them, from 1. */
  readonly order: number
  readonly body: string
  /** The seq of the first `msg:A`, `null` while no answer came. */
  acked: number | null
  /** A final refusal: certainly not stored. */
  refused: string | null
  /** Answers to repeated copies: each must carry the same seq. */
  readonly repeats: { readonly seq: number; readonly duplicate: boolean }[]
}

/** One event as a reader found it in a conversation. */
export interface ReadEvent {
  readonly seq: number
  /** `message` for what senders wrote; the others take a seq too. */
  readonly kind: string
  readonly msgId: string
  readonly from: string
  readonly device: string
  readonly body: string
}

/** Everything that one node holds of one conversation, read after the faults were healed. */
export interface FinalRead {
  readonly node: string
  readonly conv: string
  readonly events: readonly ReadEvent[]
}

/** What a run did and what it left behind: all that the checkers look at. */
export class History {
  readonly sends: SendRecord[] = []
  readonly finals: FinalRead[] = []
  /** How many sends have an acknowledgement. */
  acknowledgedCount = 0

  send(record: Omit<SendRecord, 'acked' | 'refused' | 'repeats'>): SendRecord {
    const full: SendRecord = { ...record, acked: null, refused: null, repeats: [] }
    this.sends.push(full)
    return full
  }

  acknowledge(send: SendRecord, seq: number): void {
    send.acked = seq
    this.acknowledgedCount += 1
  }

  final(read: FinalRead): void {
    this.finals.push(read)
  }

  get acknowledged(): readonly SendRecord[] {
    return this.sends.filter((send) => send.acked !== null)
  }
}

/** `P1`… name the properties of `chaos/SPEC.md`. */
export interface Violation {
  readonly property: string
  readonly message: string
}

export type Checker = (history: History) => Violation[]

/** The final reads of one conversation by node. */
export function finalsByConversation(history: History): Map<string, FinalRead[]> {
  const byConversation = new Map<string, FinalRead[]>()
  for (const final of history.finals) {
    const reads = byConversation.get(final.conv) ?? []
    reads.push(final)
    byConversation.set(final.conv, reads)
  }
  return byConversation
}
