import type { OutgoingMessage } from './outgoing-message.ts'

/** Who has how much of a conversation, as the cluster tells those who wrote in it. */
export interface Receipt {
  readonly conversation: string
  /**
   * `delivered`: a device of `by` has it; `read`: `by` has read it. `stored`: nobody has it yet,
   * the cluster keeps it. `expired`: retention removed it before the recipient had it.
   */
  readonly kind: 'stored' | 'delivered' | 'read' | 'expired'
  /** Seq up to which this is so. */
  readonly upTo: number
  /** Of `expired`: it is so of these seqs alone; `null`: of everything up to `upTo`. */
  readonly seqs: readonly number[] | null
  /** Wall time in ms, for display. */
  readonly at: number
  /** The member; `null` in large conversations, which only count, and where it is nobody. */
  readonly by: string | null
  /** Members in large conversations, else `null`. */
  readonly count: number | null
}

/** How far the present members are: what `Conversation.receipts` gives. */
export interface ReceiptList {
  readonly seq: number
  /** How many have the message, and how many have read it. */
  readonly delivered: number
  readonly read: number
  /** Up to which seq each is; `null` in large conversations. */
  readonly members:
    readonly { readonly user: string; readonly delivered: number; readonly read: number }[] | null
}

/** What came of one conversation's own messages. */
interface Track {
  readonly highest: Map<Receipt['kind'], Receipt>
  readonly messages: { readonly seq: number; readonly message: OutgoingMessage }[]
}

/**
 * Moves own messages on as receipts come, in whatever order they and the answers do. The newest
 * 10,000 messages that nobody has read are watched, and as many conversations.
 */
export class Receipts {
  readonly #tracks = new Map<string, Track>()
  #watched = 0

  /** The message got its place. */
  watch(conversation: string, seq: number, message: OutgoingMessage): void {
    const track = this.#trackOf(conversation)
    for (const receipt of track.highest.values()) apply(receipt, seq, message)
    if (message.status === 'read') return
    track.messages.push({ seq, message })
    this.#watched++
    if (this.#watched > MAX_WATCHED) this.#forgetOldest()
  }

  /** Somebody else has more of the conversation than before. */
  notice(receipt: Receipt): void {
    const track = this.#trackOf(receipt.conversation)
    if (receipt.seqs === null) {
      const before = track.highest.get(receipt.kind)
      if (before !== undefined && before.upTo >= receipt.upTo) return
      track.highest.set(receipt.kind, receipt)
    }
    for (const { seq, message } of track.messages) apply(receipt, seq, message)
    if (receipt.kind !== 'read') return
    const unread = track.messages.filter(({ seq }) => seq > receipt.upTo)
    this.#watched -= track.messages.length - unread.length
    track.messages.splice(0, track.messages.length, ...unread)
  }

  /** Whether anybody, or the cluster, has said anything of this message. */
  has(conversation: string, seq: number): boolean {
    const receipts = this.#tracks.get(conversation)?.highest.values() ?? []
    return [...receipts].some(({ upTo }) => upTo >= seq)
  }

  /** Places in the history that was mean nothing in the one that is (rule K8). */
  forget(): void {
    this.#tracks.clear()
    this.#watched = 0
  }

  #trackOf(conversation: string): Track {
    let track = this.#tracks.get(conversation)
    if (track === undefined) {
      if (this.#tracks.size >= MAX_CONVERSATIONS) this.#drop(this.#tracks.keys().next().value!)
      track = { highest: new Map(), messages: [] }
      this.#tracks.set(conversation, track)
    }
    return track
  }

  #drop(conversation: string): void {
    this.#watched -= this.#tracks.get(conversation)!.messages.length
    this.#tracks.delete(conversation)
  }

  #forgetOldest(): void {
    for (const { messages } of this.#tracks.values()) {
      if (messages.length === 0) continue
      messages.splice(0, Math.ceil(messages.length / 2))
      break
    }
    this.#watched = 0
    for (const { messages } of this.#tracks.values()) this.#watched += messages.length
  }
}

/** Receipts are cumulative, but for what retention took out of the middle. */
export const covers = ({ seqs, upTo }: Pick<Receipt, 'seqs' | 'upTo'>, seq: number): boolean =>
  seqs === null ? seq <= upTo : seqs.includes(seq)

function apply(receipt: Receipt, seq: number, message: OutgoingMessage): void {
  if (covers(receipt, seq)) message.acknowledge(receipt)
}

const MAX_WATCHED = 10_000
const MAX_CONVERSATIONS = 10_000
