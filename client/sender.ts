import type { SendOptions, Target } from './conversation.ts'
import type { ClientCore } from './core.ts'
import { check, encode } from './checks.ts'
import type { DirectIds } from './direct-ids.ts'
import { ChatError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import { OutgoingList, type Outgoing } from './outgoing-list.ts'
import { OutgoingMessage, type Amendment } from './outgoing-message.ts'
import { Receipts } from './receipts.ts'
import { decodeBody } from './protocol/body-codec.ts'
import type {
  CancelAnswer,
  ConversationAnswer,
  MessageAnswer,
  MessageNotice,
} from './protocol/frames.ts'
import type { StoredMessage } from './store/client-store.ts'
import { toDraft, toStored } from './stored-draft.ts'
import type { Streams } from './streams.ts'
import type { EventDraft, MessageDraft, Write, WriteDraft } from './write.ts'

type ConversationDraft = Extract<WriteDraft, { t: 'conv:R' }>

/** Turns what the application wants written into writes of the outbox. */
export class Sender {
  readonly #options: ResolvedOptions
  readonly #core: ClientCore
  readonly #directIds: DirectIds
  readonly #streams: Streams
  readonly #resolve: (target: Target) => Promise<string>
  readonly list: OutgoingList
  readonly receipts = new Receipts()
  /** Set by `drain`: what is there is finished, nothing is added. */
  isDraining = false

  constructor(
    options: ResolvedOptions,
    core: ClientCore,
    directIds: DirectIds,
    streams: Streams,
    resolve: (target: Target) => Promise<string>,
  ) {
    this.#options = options
    this.#core = core
    this.#directIds = directIds
    this.#streams = streams
    this.#resolve = resolve
    this.list = new OutgoingList(options.ports.clock)
  }

  nextMsgId(): string {
    return this.#core.msgIds.next()
  }

  send(target: Target, body: unknown, options: SendOptions): OutgoingMessage {
    this.#checkOpen()
    const { replyTo } = options
    const draft: MessageDraft = {
      t: 'msg:R',
      conv: target.conv ?? undefined,
      to: target.to ?? undefined,
      msgId: options.msgId ?? this.nextMsgId(),
      body: encode(body),
      replyTo: typeof replyTo === 'object' ? replyTo.seq : replyTo,
      large: options.large,
    }
    // A msgId that the application chose may be one that it used before, in another life of this
    // client: then a fresh `since` would keep the cluster from finding the first result (rule A3).
    const isRepeat = options.msgId !== undefined
    return this.#sendDraft(draft, body, isRepeat)
  }

  /** Does something to an event that stands in the conversation already. */
  amend(conv: string, amendment: Amendment): OutgoingMessage {
    this.#checkOpen()
    const { kind, seq } = amendment
    const head = { conv, msgId: this.nextMsgId(), seq }
    if (kind === 'edit') {
      const { body } = amendment
      return this.#sendDraft({ t: 'edit:R', ...head, body: encode(body) }, body, false)
    }
    if (kind === 'recall') return this.#sendDraft({ t: 'recall:R', ...head }, null, false)
    const { reaction, on } = amendment
    return this.#sendDraft({ t: 'react:R', ...head, reaction, on }, null, false)
  }

  /**
   * What an earlier client with the same store left: without an answer it is sent as it would have
   * been; with one it waits on for somebody to have it, and `null` is returned.
   */
  restore(stored: StoredMessage): OutgoingMessage | null {
    const draft = toDraft(stored)
    const { prev, state, since, place } = stored
    const { outbox, waiting } = this.#core
    if (place !== null) {
      if (draft.t === 'msg:R') waiting.add(draft, since!, place.conv, place.seq, true)
      return null
    }
    // By user or by id: what followed on each other before does so again.
    const laneKey = prev === null ? null : outbox.laneKeyOf(prev)
    const key = laneKey ?? this.#laneKey(targetOf(draft))
    const isRepeat = state === 'repeated' || (state === 'sent' && outbox.lastOf(key) !== prev)
    const origin = { since, mayHaveBeenSent: state !== 'queued', isRepeat, laneKey: key }
    const body = 'body' in draft ? decodeBody(stored.body) : null
    return this.#enqueue(draft, body, origin, stored)
  }

  /** A change of a conversation: resolves with the log's verdict. */
  write(draft: ConversationDraft): Promise<ConversationAnswer> {
    this.#checkOpen()
    check(draft)
    const laneKey = 'conv' in draft ? this.#laneKey(placeOf(draft)) : draft.msgId
    return new Promise((resolve, reject) => {
      this.#core.outbox.add(laneKey, {
        ...newWrite(draft, NEW),
        isStored: true,
        onSettled: (answer) => resolve(answer as ConversationAnswer),
        onFailed: reject,
      })
    })
  }

  /** Takes back what is pending: here if it never went out, else by the log's verdict. */
  async cancel({ msgId, status, error }: OutgoingMessage): Promise<boolean> {
    if (error?.outcome === 'notApplied') return true
    if (error !== null) {
      throw new ChatError('INVALID_MESSAGE', `what became of ${msgId} is unknown: retry() it first`)
    }
    const { outbox, reads } = this.#core
    const entry = this.list.get(msgId)
    if (entry === undefined || status !== 'pending') return false
    if (outbox.withdraw(entry.write, cancelled())) return true
    const conv = await this.#resolve(targetOf(entry.draft))
    const answer = await reads.read({ t: 'cancel:R', conv, msgId }, null)
    if ((answer as CancelAnswer).cancelled !== true) return false
    outbox.refuse(entry.write, cancelled())
    return true
  }

  /** Forgets what failed, or what never went out. Says whether it was such a one. */
  discard(msgId: string): boolean {
    const entry = this.list.get(msgId)
    if (entry === undefined) return false
    if (entry.message.status === 'pending') {
      return this.#core.outbox.withdraw(entry.write, cancelled())
    }
    this.list.delete(msgId)
    this.list.changed(entry.message)
    return true
  }

  /** A pushed event that may be one's own, whose answer was lost with an earlier session. */
  echo(notice: MessageNotice): void {
    if (notice.from !== this.#core.user || notice.device !== this.#options.device) return
    const { conv, msgId, seq, at, ord } = notice
    const entry = this.list.get(msgId)
    if (entry === undefined) return
    const place = { msgId, conv, seq, at, ord }
    // An echo does not say which copy it was that got the place.
    const duplicate = entry.write.wentOutBefore
    const answer = { t: 'msg:A', id: 0, ...place, duplicate, now: 0 } as const
    this.#core.outbox.echo(msgId, answer)
    if (entry.message.status === 'failed') this.#settled(entry, answer, null)
  }

  #sendDraft(draft: EventDraft, body: unknown, isRepeat: boolean): OutgoingMessage {
    check(draft, this.#core.bodyBytes)
    const since = isRepeat ? null : this.#core.logTimeOnline
    return this.#enqueue(draft, body, { since, mayHaveBeenSent: isRepeat, isRepeat, laneKey: null })
  }

  #enqueue(
    draft: EventDraft,
    body: unknown,
    origin: Origin,
    found: StoredMessage | null = null,
  ): OutgoingMessage {
    const retry = (): void => {
      this.#checkOpen()
      // Same id, same bytes, same `since`: the cluster will know it if it has it.
      const { since, mayHaveBeenSent } = entry.write
      const again = { since, mayHaveBeenSent, isRepeat: mayHaveBeenSent, laneKey: null }
      entry.write = this.#add(entry, again, null)
      this.list.set(entry)
    }
    const shown = {
      msgId: draft.msgId,
      kind: KINDS[draft.t],
      body,
      replyTo: (draft.t === 'msg:R' ? draft.replyTo : null) ?? null,
      target: draft.t === 'msg:R' ? null : draft.seq,
    }
    const message = new OutgoingMessage(shown, this.#options.ports.clock, {
      retry,
      cancel: (each) => this.cancel(each),
      amend: (conv, amendment) => this.amend(conv, amendment),
      changed: (each) => this.list.changed(each),
    })
    const entry = { draft, message, write: newWrite(draft, origin) as Write }
    entry.write = this.#add(entry, origin, found)
    this.list.set(entry)
    return message
  }

  #add(entry: Outgoing, origin: Origin, found: StoredMessage | null): Write {
    const { draft, message } = entry
    const { journal, outbox, waiting } = this.#core
    const write: Write = {
      ...newWrite(draft, origin),
      stored: (prev) => toStored(draft, write, prev),
      onSettled: (answer) => {
        const isLate = message.status === 'failed'
        this.#settled(entry, answer as MessageAnswer, isLate ? null : write)
      },
      onFailed: (error) => {
        if (error.outcome === 'notApplied') this.list.delete(draft.msgId)
        message.fail(error)
        this.list.boundFailed()
        // What a closed client leaves is the next one's. A verdict is told before it is forgotten:
        // nobody would ask for it again.
        if (!LEFT_BEHIND.has(error.code)) journal.remove(draft.msgId, () => {})
      },
      onHeldUp: (error) => message.holdUp(error),
    }
    write.isStored = found !== null
    outbox.add(origin.laneKey ?? this.#laneKey(targetOf(draft)), write, found !== null)
    if (found !== null) {
      message.keep()
      return write
    }
    for (;;) {
      try {
        journal.put(outbox.storedFormOf(write)!, () => {
          message.keep()
          outbox.stored(write)
        })
        return write
      } catch (error) {
        // What is not stored anywhere yet goes before what is.
        if (ChatError.is(error) && error.code === 'OUTBOX_FULL' && waiting.dropOldest()) continue
        outbox.takeBack(write)
        throw error
      }
    }
  }

  /** @param write as the store has it; `null` if it is not there any more. */
  #settled({ draft, message }: Outgoing, answer: MessageAnswer, write: Write | null): void {
    const { msgId, conv, seq, at, duplicate } = answer
    if ('to' in draft && draft.to !== undefined) this.#directIds.learn(draft.to, conv)
    const { journal, waiting } = this.#core
    journal.hit('outbox.answered')
    const done = (): void => {
      journal.hit('outbox.settled')
      this.list.delete(msgId)
      message.settle({ msgId, conversation: conv, seq, at, duplicate })
      if (draft.t === 'msg:R') this.receipts.watch(conv, seq, message)
    }
    // Without `since` a copy sent long after the window would be stored a second time (rule A3).
    const since = write?.since ?? null
    const isWaiting = write !== null && since !== null && !this.receipts.has(conv, seq)
    if (draft.t === 'msg:R' && isWaiting) {
      const place = { conv, seq }
      journal.answered({ ...toStored(draft, write, null), state: 'answered', place }, done)
      waiting.add(draft, since, conv, seq)
    } else journal.remove(msgId, done)
    this.#show(draft, answer)
  }

  /** The session that sent it gets no push of it: this answer is its event. */
  #show(draft: EventDraft, { msgId, conv, seq, at, ord }: MessageAnswer): void {
    const { user } = this.#core
    if (draft.t !== 'msg:R' || user === null) {
      return this.#streams.notice({ t: 'msg:N', conv, seq })
    }
    const { body, replyTo, large } = draft
    const { device } = this.#options
    const written = { kind: 'message', ord, msgId, from: user, device, at } as const
    this.#streams.event(conv, { seq, ...written, body, replyTo, large })
  }

  /** One lane for a conversation, by whichever handle it is written to. */
  #laneKey(target: Target): string {
    const user = target.to ?? this.#directIds.userOf(target.conv)
    const conv = target.conv ?? this.#directIds.idOf(target.to)
    const byId = `conv ${conv}`
    if (user === null || (conv !== null && this.#core.outbox.hasLane(byId))) return byId
    return `to ${user}`
  }

  #checkOpen(): void {
    if (this.isDraining || this.#core.connection.isClosed) {
      throw new ChatError('CLOSED', 'this client takes no more writes')
    }
  }
}

const KINDS = {
  'msg:R': 'message',
  'edit:R': 'edit',
  'recall:R': 'recall',
  'react:R': 'reaction',
} as const

const targetOf = (draft: EventDraft): Target =>
  ({ conv: draft.conv ?? null, to: ('to' in draft ? draft.to : null) ?? null }) as Target

const cancelled = (): ChatError => new ChatError('CANCELLED', 'the application cancelled it')

/** Where a write comes from. */
type Origin = Pick<Write, 'since' | 'mayHaveBeenSent' | 'isRepeat'> & {
  /** `null`: that of its conversation. */
  readonly laneKey: string | null
}

const NEW: Origin = { since: null, mayHaveBeenSent: false, isRepeat: false, laneKey: null }

function newWrite(
  draft: WriteDraft,
  { since, mayHaveBeenSent, isRepeat }: Origin,
): Omit<Write, 'onSettled' | 'onFailed'> {
  return {
    draft,
    bytes: ('body' in draft ? draft.body.length : 0) + OVERHEAD_BYTES,
    since,
    mayHaveBeenSent,
    isRepeat,
    wentOutBefore: mayHaveBeenSent,
    stored: null,
    isStored: false,
    isInFlight: false,
    round: 0,
    sends: 0,
    dueMs: 0,
  }
}

/** The client's end is no verdict on a message. */
const LEFT_BEHIND: ReadonlySet<string> = new Set(['CLOSED', 'STORE_FAILED'])

/** What a write holds besides its body, roughly. */
const OVERHEAD_BYTES = 512

/** A block or unblock that names no conversation is about the direct one with its user. */
function placeOf(draft: Extract<ConversationDraft, { conv?: string | undefined }>): Target {
  if (draft.conv !== undefined) return { conv: draft.conv, to: null }
  return { conv: null, to: (draft as { user: string }).user }
}
