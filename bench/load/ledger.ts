/** What became of a message, where it is not the seq that was acknowledged. */
const PENDING = 0
const UNKNOWN = -1
const REFUSED = -2

/** What is wrong with what the cluster keeps, by the number of messages; all 0: nothing. */
export interface Faults {
  /** Acknowledged, and not there. */
  lost: number
  /** There more than once. */
  doubled: number
  /** Not in the order in which they were sent, or not at the seq that was acknowledged. */
  disordered: number
  /** There with another content, or though they were refused. */
  strange: number
}

export interface Verified extends Faults {
  /** Acknowledged messages that were looked for. */
  readonly acknowledged: number
  /** Of those whose outcome was unknown, how many are there. */
  readonly unknownStored: number
  readonly unknownAbsent: number
  /** Acknowledged and taken away by retention since: nothing can be said of them. */
  readonly removed: number
}

export interface StoredMessage {
  readonly seq: number
  readonly msgId: string
  readonly isWhole: boolean
}

interface Conversation {
  id: string | null
  /** By the number of the message. */
  fates: Int32Array
  sent: number
  /** Everything below is settled. */
  settledBelow: number
  acknowledged: number
}

/**
 * What was sent and what the cluster said of it: four bytes a message. Each conversation has one
 * sender, whose messages are numbered.
 */
export class Ledger {
  readonly #conversations: readonly Conversation[]
  #messages = 0

  constructor(conversations: number) {
    this.#conversations = Array.from({ length: conversations }, () => ({
      id: null,
      fates: new Int32Array(16),
      sent: 0,
      settledBelow: 0,
      acknowledged: 0,
    }))
  }

  get size(): number {
    return this.#conversations.length
  }

  get messages(): number {
    return this.#messages
  }

  acknowledgedIn(at: number): number {
    return this.#of(at).acknowledged
  }

  /** Its id, once something in it was acknowledged. */
  idOf(at: number): string | null {
    return this.#of(at).id
  }

  /** The next message of a conversation, and the newest one before it without an answer (rule A4). */
  next(at: number): { readonly n: number; readonly prev: number | null } {
    const conversation = this.#of(at)
    const n = conversation.sent
    if (n === conversation.fates.length) {
      const grown = new Int32Array(n * 2)
      grown.set(conversation.fates)
      conversation.fates = grown
    }
    conversation.sent += 1
    this.#messages += 1
    const { fates } = conversation
    while (conversation.settledBelow < n && fates[conversation.settledBelow] !== PENDING) {
      conversation.settledBelow += 1
    }
    let prev = n - 1
    while (prev >= conversation.settledBelow && fates[prev] !== PENDING) prev -= 1
    return { n, prev: prev >= conversation.settledBelow ? prev : null }
  }

  acknowledged(at: number, n: number, { conv, seq }: { conv: string; seq: number }): void {
    const conversation = this.#of(at)
    conversation.id ??= conv
    conversation.acknowledged += 1
    this.#settle(conversation, n, seq)
  }

  refused(at: number, n: number): void {
    this.#settle(this.#of(at), n, REFUSED)
  }

  unknown(at: number, n: number): void {
    this.#settle(this.#of(at), n, UNKNOWN)
  }

  /** Begins to compare a conversation with what is stored of it. */
  judge(at: number): ConversationJudge {
    const { fates, sent } = this.#of(at)
    return new ConversationJudge(at, fates.subarray(0, sent))
  }

  #of(at: number): Conversation {
    const conversation = this.#conversations[at]
    if (conversation === undefined) throw new Error(`no conversation ${at}`)
    return conversation
  }

  #settle({ fates, sent }: Conversation, n: number, fate: number): void {
    if (n >= sent || fates[n] !== PENDING) throw new Error(`message ${n} was settled before`)
    fates[n] = fate
  }
}

/** Takes the stored messages of one conversation in their order, and says what is wrong. */
export class ConversationJudge {
  readonly #at: number
  readonly #fates: Int32Array
  readonly #isThere: Uint8Array
  readonly #faults: Faults = { lost: 0, doubled: 0, disordered: 0, strange: 0 }
  /** Seqs that were taken away, from and to. */
  readonly #removed: [number, number][] = []
  #newest = -1

  constructor(at: number, fates: Int32Array) {
    this.#at = at
    this.#fates = fates
    this.#isThere = new Uint8Array(fates.length)
  }

  take({ seq, msgId, isWhole }: StoredMessage): void {
    const [at, number] = msgId.split('.')
    const n = Number(number)
    const fate = this.#fates[n]
    if (Number(at) !== this.#at || fate === undefined || !isWhole) {
      this.#faults.strange += 1
      return
    }
    if (this.#isThere[n] === 1) {
      this.#faults.doubled += 1
      return
    }
    this.#isThere[n] = 1
    if (fate === REFUSED) this.#faults.strange += 1
    if (fate <= 0) return
    if (fate !== seq || n < this.#newest) this.#faults.disordered += 1
    this.#newest = Math.max(this.#newest, n)
  }

  removed(fromSeq: number, toSeq: number): void {
    this.#removed.push([fromSeq, toSeq])
  }

  verdict(): Verified {
    const verified = { ...this.#faults, acknowledged: 0, removed: 0 }
    let unknownStored = 0
    let unknownAbsent = 0
    for (const [n, fate] of this.#fates.entries()) {
      const isThere = this.#isThere[n] === 1
      if (fate > 0) {
        verified.acknowledged += 1
        if (!isThere && this.#removed.some(([from, to]) => fate >= from && fate <= to)) {
          verified.removed += 1
        } else if (!isThere) verified.lost += 1
      } else if (fate === UNKNOWN || fate === PENDING) {
        if (isThere) unknownStored += 1
        else unknownAbsent += 1
      }
    }
    return { ...verified, unknownStored, unknownAbsent }
  }
}

/** How the n-th message of a conversation is called. */
export const messageIdOf = (at: number, n: number): string => `${at}.${n}`

export const NOTHING_VERIFIED: Verified = {
  lost: 0,
  doubled: 0,
  disordered: 0,
  strange: 0,
  acknowledged: 0,
  unknownStored: 0,
  unknownAbsent: 0,
  removed: 0,
}

export function sumVerified(a: Verified, b: Verified): Verified {
  const keys = Object.keys(NOTHING_VERIFIED) as (keyof Verified)[]
  return Object.fromEntries(keys.map((key) => [key, a[key] + b[key]])) as unknown as Verified
}

export const faultsIn = ({ lost, doubled, disordered, strange }: Verified): number =>
  lost + doubled + disordered + strange
