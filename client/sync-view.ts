import type { Emitter } from './emitter.ts'
import type { Gap, SyncAnswer, WireEvent } from './protocol/frames.ts'

/** A conversation as this device knows it. */
export interface ConversationSummary {
  readonly conversation: string
  /** The newest seq. */
  readonly head: number
  /** Messages of others behind the last that this user has read, on any device. */
  readonly unread: number
}

/** What `SyncView.on` tells. */
export type SyncEvents = {
  /** Of the events that are missing, how many are here. The last of a catch-up has them equal. */
  readonly progress: { readonly done: number; readonly total: number }
  /** The list changed: a row came, went up or changed its numbers. */
  readonly conversations: readonly ConversationSummary[]
  /**
   * After `discontinuity`: own messages that were reported `sent` and are not in the history that the
   * cluster was restored to, of the newest 1,000. What to do about them is the application's.
   */
  readonly missing: {
    readonly epoch: string
    readonly messages: readonly {
      readonly conversation: string
      readonly seq: number
      readonly msgId: string
    }[]
  }
  /** Inbox numbers that no node has any more; the conversations were looked at one by one instead. */
  readonly gap: Gap
}

interface Row extends ConversationSummary {
  /** Messages up to `head`; `null` if only a node could tell. */
  readonly ord: number | null
  /** Seq up to which this user is known to have read. */
  readonly read: number
}

/** How this device keeps up with all its user's conversations: `chat.sync`. */
export class SyncView {
  readonly #emitter: Emitter<SyncEvents>
  readonly #countAfter: (conversation: string, seq: number) => Promise<number>
  /** The newest change last. */
  readonly #rows = new Map<string, Row>()
  readonly #counting = new Set<string>()
  #isTold = true

  /** @internal Made by `ChatClient`. `countAfter`: messages of others behind a seq. */
  constructor(
    emitter: Emitter<SyncEvents>,
    countAfter: (conversation: string, seq: number) => Promise<number>,
  ) {
    this.#emitter = emitter
    this.#countAfter = countAfter
  }

  /** Newest change first, at most 10,000. Empty until the first session is caught up on. */
  get conversations(): readonly ConversationSummary[] {
    return [...this.#rows.values()]
      .map(({ conversation, head, unread }) => ({ conversation, head, unread }))
      .toReversed()
  }

  /** @internal `null` of what this device has not heard of. */
  unreadOf(conversation: string): number | null {
    return this.#rows.get(conversation)?.unread ?? null
  }

  /** @internal The newest seq of each that this device has heard of. */
  get heads(): ReadonlyMap<string, number> {
    return new Map([...this.#rows].map(([conversation, { head }]) => [conversation, head]))
  }

  /** Returns what takes the listener off again. */
  on<Name extends keyof SyncEvents>(
    name: Name,
    listener: (event: SyncEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener)
  }

  /** @internal What a node says is more than what was derived here. */
  rows(rows: SyncAnswer['conversations']): void {
    for (const { conv, head, unread } of rows.toReversed()) {
      const old = this.#rows.get(conv)
      if (old !== undefined && old.head > head) continue
      const ord = old?.head === head ? old.ord : null
      this.#put({ conversation: conv, head, unread, ord, read: old?.read ?? 0 })
    }
  }

  /** @internal An event of others, or of one's own. */
  event(conversation: string, { seq, ord, kind }: WireEvent, isOwn: boolean): void {
    const old = this.#rows.get(conversation)
    if (old !== undefined && seq <= old.head) return
    // Derived from `ord`, so that what was not seen is counted too.
    const isFresh = kind === 'message' ? 1 : 0
    const messages = old !== undefined && old.ord !== null ? ord - old.ord : isFresh
    const read = old?.read ?? 0
    const unread = seq <= read ? 0 : (old?.unread ?? 0) + messages - (isOwn ? isFresh : 0)
    this.#put({ conversation, head: seq, unread: Math.max(0, unread), ord, read })
  }

  /** @internal This user is no member any more. */
  left(conversation: string): void {
    if (this.#rows.delete(conversation)) this.#tell()
  }

  /** @internal This user has read everything up to `upTo`, on some device. */
  read(conversation: string, upTo: number): void {
    const row = this.#rows.get(conversation)
    if (row === undefined || upTo <= row.read) return
    const read = upTo
    if (upTo >= row.head || row.unread === 0) return this.#set({ ...row, unread: 0, read })
    this.#set({ ...row, read })
    this.#countAfter(conversation, upTo).then(
      (unread) => {
        const now = this.#rows.get(conversation)
        // What came meanwhile is counted on top of it.
        if (now === undefined) return
        this.#set({ ...now, unread: Math.max(0, unread + now.unread - row.unread) })
      },
      // The next catch-up tells.
      () => {},
    )
  }

  /**
   * @internal There is something up to `seq` in a conversation whose events nobody may ever ask for:
   * what is new for this user is counted, once for all that comes meanwhile.
   */
  head(conversation: string, seq: number): void {
    const row = this.#rows.get(conversation)
    if (row === undefined || seq <= row.head || this.#counting.has(conversation)) return
    this.#counting.add(conversation)
    const counted = (more: number | null): void => {
      this.#counting.delete(conversation)
      const now = this.#rows.get(conversation)
      if (more === null || now?.head !== row.head) return
      this.#put({ ...now, head: seq, unread: now.unread + more, ord: null })
    }
    this.#countAfter(conversation, row.head).then(counted, () => counted(null))
  }

  /** @internal The history is another one now. */
  forget(): void {
    this.#rows.clear()
  }

  #put(row: Row): void {
    this.#rows.delete(row.conversation)
    this.#set(row)
  }

  #set(row: Row): void {
    this.#rows.set(row.conversation, row)
    if (this.#rows.size > MAX_ROWS) this.#rows.delete(this.#rows.keys().next().value!)
    this.#tell()
  }

  #tell(): void {
    if (!this.#isTold || !this.#emitter.has('conversations')) return
    // Once for all rows of a page.
    this.#isTold = false
    void Promise.resolve().then(() => {
      this.#isTold = true
      this.#emitter.emit('conversations', this.conversations)
    })
  }
}

const MAX_ROWS = 10_000
