import type { SendOptions, Target } from './conversation.ts'
import type { ClientCore } from './core.ts'
import { check, encode } from './checks.ts'
import type { DirectIds } from './direct-ids.ts'
import { ChatError } from './errors.ts'
import { MessageIds } from './message-id.ts'
import type { ResolvedOptions } from './options.ts'
import { OutgoingMessage } from './outgoing-message.ts'
import { Receipts } from './receipts.ts'
import { decodeBody } from './protocol/body-codec.ts'
import type { ConversationAnswer, MessageAnswer, MessageNotice } from './protocol/frames.ts'
import type { StoredMessage } from './store/client-store.ts'
import type { Streams } from './streams.ts'
import type { MessageDraft, Write, WriteDraft } from './write.ts'

type ConversationDraft = Extract<WriteDraft, { t: 'conv:R' }>

/** Turns what the application wants written into writes of the outbox. */
export class Sender {
  readonly #options: ResolvedOptions
  readonly #core: ClientCore
  readonly #directIds: DirectIds
  readonly #streams: Streams
  readonly #msgIds: MessageIds
  /** Messages given up as unknown: an echo may still tell. The newest 1,000. */
  readonly #unknown = new Map<string, Unknown>()
  readonly receipts = new Receipts()
  /** Set by `drain`: what is there is finished, nothing is added. */
  isDraining = false

  constructor(options: ResolvedOptions, core: ClientCore, directIds: DirectIds, streams: Streams) {
    this.#options = options
    this.#core = core
    this.#directIds = directIds
    this.#streams = streams
    const { clock, random } = options.ports
    this.#msgIds = new MessageIds(options.device, clock, random)
  }

  nextMsgId(): string {
    return this.#msgIds.next()
  }

  send(target: Target, body: unknown, options: SendOptions): OutgoingMessage {
    this.#checkOpen()
    const draft: MessageDraft = {
      t: 'msg:R',
      conv: target.conv ?? undefined,
      to: target.to ?? undefined,
      msgId: options.msgId ?? this.nextMsgId(),
      body: encode(body),
      replyTo: options.replyTo,
      large: options.large,
    }
    check(draft, this.#core.bodyBytes)
    // A msgId that the application chose may be one that it used before, in another life of this
    // client: then a fresh `since` would keep the cluster from finding the first result (rule A3).
    const isRepeat = options.msgId !== undefined
    const since = isRepeat ? null : this.#core.logTimeOnline
    return this.#enqueue(draft, body, { since, mayHaveBeenSent: isRepeat, isRepeat, laneKey: null })
  }

  /**
   * What an earlier client with the same store left: without an answer it is sent as it would have
   * been; with one it waits on for somebody to have it, and `null` is returned.
   */
  restore(stored: StoredMessage): OutgoingMessage | null {
    const draft: MessageDraft = {
      t: 'msg:R',
      conv: stored.conv ?? undefined,
      to: stored.to ?? undefined,
      msgId: stored.msgId,
      body: stored.body,
      replyTo: stored.replyTo ?? undefined,
      large: stored.large ? true : undefined,
    }
    const { prev, state, since, place } = stored
    const { outbox, waiting } = this.#core
    if (place !== null) {
      waiting.add(draft, since!, place.conv, place.seq, true)
      return null
    }
    // By user or by id: what followed on each other before does so again.
    const laneKey = prev === null ? null : outbox.laneKeyOf(prev)
    const { conv = null, to = null } = draft
    const key = laneKey ?? this.#laneKey({ conv, to } as Target)
    const isRepeat = state === 'repeated' || (state === 'sent' && outbox.lastOf(key) !== prev)
    const origin = { since, mayHaveBeenSent: state !== 'queued', isRepeat, laneKey: key }
    return this.#enqueue(draft, decodeBody(stored.body), origin, stored)
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

  /** A pushed event that may be one's own, whose answer was lost with an earlier session. */
  echo(notice: MessageNotice): void {
    if (notice.from !== this.#core.user || notice.device !== this.#options.device) return
    const { conv, msgId, seq, at, ord } = notice
    const answer = {
      t: 'msg:A',
      id: 0,
      msgId,
      conv,
      seq,
      at,
      ord,
      duplicate: false,
      now: 0,
    } as const
    this.#core.outbox.echo(msgId, answer)
    const unknown = this.#unknown.get(msgId)
    if (unknown !== undefined) this.#settled(unknown.draft, unknown.message, answer, null)
  }

  #enqueue(
    draft: MessageDraft,
    body: unknown,
    origin: Origin,
    found: StoredMessage | null = null,
  ): OutgoingMessage {
    const { clock } = this.#options.ports
    const retry = (): void => {
      this.#checkOpen()
      // Same id, same bytes, same `since`: the cluster will know it if it has it.
      const { since, mayHaveBeenSent } = last
      const again = { since, mayHaveBeenSent, isRepeat: mayHaveBeenSent, laneKey: null }
      last = this.#add(draft, message, again, null)
      this.#unknown.delete(draft.msgId)
    }
    const message = new OutgoingMessage(draft.msgId, body, draft.replyTo ?? null, clock, { retry })
    let last = this.#add(draft, message, origin, found)
    return message
  }

  #add(
    draft: MessageDraft,
    message: OutgoingMessage,
    origin: Origin,
    found: StoredMessage | null,
  ): Write {
    const { journal, outbox, waiting } = this.#core
    const { conv = null, to = null } = draft
    const write: Write = {
      ...newWrite(draft, origin),
      stored: (prev) => toStored(draft, write, prev),
      onSettled: (answer) => {
        const { msgId } = draft
        this.#settled(
          draft,
          message,
          answer as MessageAnswer,
          this.#unknown.has(msgId) ? null : write,
        )
      },
      onFailed: (error) => {
        message.fail(error)
        if (error.outcome === 'unknown') this.#remember({ draft, message })
        // What a closed client leaves is the next one's. A verdict is told before it is forgotten:
        // nobody would ask for it again.
        if (!LEFT_BEHIND.has(error.code)) journal.remove(draft.msgId, () => {})
      },
    }
    write.isStored = found !== null
    outbox.add(origin.laneKey ?? this.#laneKey({ conv, to } as Target), write, found !== null)
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
  #settled(
    draft: MessageDraft,
    message: OutgoingMessage,
    answer: MessageAnswer,
    write: Write | null,
  ): void {
    const { msgId, conv, seq, at, ord, duplicate } = answer
    const { user } = this.#core
    this.#unknown.delete(msgId)
    if (draft.to !== undefined) this.#directIds.learn(draft.to, conv)
    const { journal, waiting } = this.#core
    journal.hit('outbox.answered')
    const done = (): void => {
      journal.hit('outbox.settled')
      message.settle({ msgId, conversation: conv, seq, at, duplicate })
      this.receipts.watch(conv, seq, message)
    }
    // Without `since` a copy sent long after the window would be stored a second time (rule A3).
    const since = write?.since ?? null
    if (write === null || since === null || this.receipts.has(conv, seq)) {
      journal.remove(msgId, done)
    } else {
      journal.answered(
        { ...toStored(draft, write, null), state: 'answered', place: { conv, seq } },
        done,
      )
      waiting.add(draft, since, conv, seq)
    }
    if (user === null) return
    // The session that sent it gets no push of it: this answer is its event.
    const { body, replyTo, large } = draft
    const event = {
      seq,
      kind: 'message',
      ord,
      msgId,
      from: user,
      at,
      body,
      replyTo,
      large,
    } as const
    this.#streams.event(conv, { ...event, device: this.#options.device })
  }

  #remember(unknown: Unknown): void {
    if (this.#unknown.size >= MAX_UNKNOWN) {
      this.#unknown.delete(this.#unknown.keys().next().value!)
    }
    this.#unknown.set(unknown.draft.msgId, unknown)
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

interface Unknown {
  readonly draft: MessageDraft
  readonly message: OutgoingMessage
}

const MAX_UNKNOWN = 1000

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
    bytes: draft.t === 'msg:R' ? draft.body.length + OVERHEAD_BYTES : OVERHEAD_BYTES,
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

function toStored(draft: MessageDraft, write: Write, prev: string | null): StoredMessage {
  const { since, isRepeat, mayHaveBeenSent } = write
  const isQueued = since === null && !mayHaveBeenSent
  return {
    msgId: draft.msgId,
    conv: draft.conv ?? null,
    to: draft.to ?? null,
    body: draft.body,
    replyTo: draft.replyTo ?? null,
    large: draft.large ?? false,
    prev,
    state: isRepeat ? 'repeated' : isQueued ? 'queued' : 'sent',
    since,
    place: null,
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
