import type { SendOptions, Target } from './conversation.ts'
import type { ClientCore } from './core.ts'
import { check, encode } from './checks.ts'
import type { DirectIds } from './direct-ids.ts'
import { ChatError } from './errors.ts'
import { MessageIds } from './message-id.ts'
import type { ResolvedOptions } from './options.ts'
import { OutgoingMessage } from './outgoing-message.ts'
import type { ConversationAnswer, MessageAnswer, MessageNotice } from './protocol/frames.ts'
import type { StoredMessage } from './store.ts'
import type { Streams } from './streams.ts'
import type { Write, WriteDraft } from './write.ts'

type MessageDraft = Extract<WriteDraft, { t: 'msg:R' }>
type ConversationDraft = Extract<WriteDraft, { t: 'conv:R' }>

/** Turns what the application wants written into writes of the outbox. */
export class Sender {
  readonly #options: ResolvedOptions
  readonly #core: ClientCore
  readonly #directIds: DirectIds
  readonly #streams: Streams
  readonly #msgIds: MessageIds
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
    return this.#enqueue(draft, body, null, options.msgId !== undefined)
  }

  /** Messages that an earlier client with the same store left without an answer. */
  restore(stored: StoredMessage, body: unknown): OutgoingMessage {
    const draft: MessageDraft = {
      t: 'msg:R',
      conv: stored.conv ?? undefined,
      to: stored.to ?? undefined,
      msgId: stored.msgId,
      body: stored.body,
      replyTo: stored.replyTo ?? undefined,
      large: stored.large ? true : undefined,
    }
    return this.#enqueue(draft, body, stored.since, true)
  }

  /** A change of a conversation: resolves with the log's verdict. */
  write(draft: ConversationDraft): Promise<ConversationAnswer> {
    this.#checkOpen()
    check(draft)
    const laneKey = 'conv' in draft ? this.#laneKey({ conv: draft.conv, to: null }) : draft.msgId
    return new Promise((resolve, reject) => {
      this.#core.outbox.add(laneKey, {
        ...newWrite(draft, null, false),
        isStored: true,
        onSent: () => {},
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
  }

  #enqueue(
    draft: MessageDraft,
    body: unknown,
    since: number | null,
    mayHaveBeenSent: boolean,
  ): OutgoingMessage {
    const { clock } = this.#options.ports
    const message = new OutgoingMessage(draft.msgId, body, draft.replyTo ?? null, clock, () => {
      this.#checkOpen()
      // Same id, same bytes, same `since`: the cluster will know it if it has it.
      last = this.#add(draft, message, last.since, last.mayHaveBeenSent)
    })
    let last = this.#add(draft, message, since, mayHaveBeenSent)
    return message
  }

  #add(
    draft: MessageDraft,
    message: OutgoingMessage,
    since: number | null,
    mayHaveBeenSent: boolean,
  ): Write {
    const { store } = this.#options
    const laneKey = this.#laneKey({ conv: draft.conv ?? null, to: draft.to ?? null } as Target)
    const write: Write = {
      ...newWrite(draft, since, mayHaveBeenSent),
      onSent: () => {
        // So that a later client knows since when the cluster may have it. Without that it would
        // still be stored once, but only within the window.
        if (write.sends === 1) this.#put(write, draft)?.catch(() => {})
      },
      onSettled: (answer) => {
        store.remove(draft.msgId)
        this.#settled(draft, message, answer as MessageAnswer)
      },
      onFailed: (error) => {
        // A closed client leaves its messages to the next one with this store.
        if (error.code !== 'CLOSED') store.remove(draft.msgId)
        message.fail(error)
      },
    }
    this.#core.outbox.checkRoom(write.bytes)
    const stored = this.#put(write, draft)
    if (stored === undefined) write.isStored = true
    this.#core.outbox.add(laneKey, write)
    stored?.then(
      () => this.#core.outbox.stored(write),
      (cause: unknown) => {
        const error = new ChatError('INTERNAL', 'the store failed', { cause })
        this.#core.outbox.abandon(write, error)
      },
    )
    return write
  }

  #put(write: Write, draft: MessageDraft): Promise<void> | undefined {
    return this.#options.store.put({
      msgId: draft.msgId,
      conv: draft.conv ?? null,
      to: draft.to ?? null,
      body: draft.body,
      replyTo: draft.replyTo ?? null,
      large: draft.large ?? false,
      since: write.since,
    })
  }

  #settled(draft: MessageDraft, message: OutgoingMessage, answer: MessageAnswer): void {
    const { msgId, conv, seq, at, ord, duplicate } = answer
    const { user } = this.#core
    if (draft.to !== undefined) this.#directIds.learn(draft.to, conv)
    message.settle({ msgId, conversation: conv, seq, at, duplicate })
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

function newWrite(
  draft: WriteDraft,
  since: number | null,
  mayHaveBeenSent: boolean,
): Omit<Write, 'onSent' | 'onSettled' | 'onFailed'> {
  return {
    draft,
    bytes: draft.t === 'msg:R' ? draft.body.length + OVERHEAD_BYTES : OVERHEAD_BYTES,
    since,
    mayHaveBeenSent,
    isRepeat: mayHaveBeenSent,
    isStored: false,
    isInFlight: false,
    round: 0,
    sends: 0,
    dueMs: 0,
  }
}

/** What a write holds besides its body, roughly. */
const OVERHEAD_BYTES = 512
