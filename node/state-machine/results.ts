import { hash as digestOf } from 'node:crypto'
import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import type { ColdObjects } from './cold-objects.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind } from './commands.ts'
import { groupConversationId } from './conversation-id.ts'
import type { Conversation } from './conversation-state.ts'
import { VERDICT_FLAG } from './dedupe-table.ts'
import { KeyHash } from './key-hash.ts'
import type { PreparedCommand } from './prepared-entry.ts'
import { REFUSALS } from './refusals.ts'
import type { StoredEvent } from './stored-event.ts'
import type { WriteResult } from './types.ts'
import type { Verdict } from './verdict.ts'

/** The recorded result of a key: the event that it made, or a verdict without one. */
export type Prior =
  | { readonly event: StoredEvent; readonly conversation: Conversation; readonly verdict: null }
  | { readonly event: null; readonly conversation: null; readonly verdict: Verdict }

/** Something a dedupe hit points at that memory does not hold. */
export type Missing = (conversation: Conversation | null, number: number) => void

/** The recorded results of writes (rules A2, A3): found by key, verified against what is stored. */
export class Results {
  readonly #state: ApplicationState
  readonly #cold: ColdObjects
  readonly #hash = new KeyHash()
  readonly #found: number[] = []

  constructor(state: ApplicationState, cold: ColdObjects) {
    this.#state = state
    this.#cold = cold
  }

  /** The conversation that the command is about, `undefined` if memory holds none. */
  conversation(command: PreparedCommand): Conversation | undefined {
    if (command.found !== null) return command.found
    const conversation = this.#state.conversations.get(command.conversation)
    command.found = conversation ?? null
    return conversation
  }

  /** Fills in the hash of the command's own key. */
  hashKey(command: PreparedCommand): void {
    if (command.isHashed) return
    const { high, low } = this.#hashOf(command, command.view.msgId)
    command.keyHigh = high
    command.keyLow = low
    command.isHashed = true
  }

  #hashOf(command: PreparedCommand, msgId: string): KeyHash {
    const hash = this.#hash
    if (command.ofUser) this.#state.userPrefix(hash)
    else {
      const conversation = this.conversation(command)
      if (conversation !== undefined) hash.start(conversation.hashHigh, conversation.hashLow)
      else this.#state.conversationPrefix(hash, command.keyConversation)
    }
    return hash.text(command.view.user).text(msgId).finish()
  }

  /**
   * The first result of the key at or after `bound` in log time. What a hit points at must be in
   * memory, unless `missing` is given: then it is told of what is not, and the answer means nothing.
   */
  find(
    command: PreparedCommand,
    msgId: string,
    bound: number,
    missing: Missing | null = null,
  ): Prior | null {
    const count = this.#candidates(command, msgId, bound)
    if (count === 0 && !command.ofUser) return null
    let first: Prior | null = null
    for (let i = 0; i < count; i += 1) {
      const value = this.#found[i]!
      const prior =
        value >= VERDICT_FLAG
          ? this.#verdict(command, msgId, value - VERDICT_FLAG, missing)
          : this.#event(command, msgId, value, bound, missing)
      if (prior !== null && timeOf(prior) >= bound) {
        if (first === null || timeOf(prior) < timeOf(first)) first = prior
      }
    }
    if (command.ofUser) {
      const created = this.creation(command.view.user, msgId, missing)
      if (created !== null && timeOf(created) >= bound) {
        if (first === null || timeOf(created) < timeOf(first)) first = created
      }
    }
    return first
  }

  /** The group that the user made with this msgId: kept for ever, as its id comes from them (A1). */
  creation(user: string, msgId: string, missing: Missing | null = null): Prior | null {
    const id = groupConversationId(user, msgId)
    const conversation = this.#state.conversations.get(id)
    if (conversation === undefined) {
      const isAbsent = this.#state.allInMemory || this.#cold.isAbsent(id)
      assert(isAbsent, `${id} was not prefetched`)
      return null
    }
    const event = this.#load(conversation, 1, missing)
    return event === null ? null : { event, conversation, verdict: null }
  }

  /** Answers a later copy of a write with its first result. */
  answer(prior: Prior, now: number): WriteResult {
    if (prior.event !== null) {
      const { event, conversation } = prior
      const { seq, ord, at } = event
      const msgId = event.view.msgId
      const conv = conversation.id
      return { ok: true, conv, msgId, seq, ord, at, inbox: null, duplicate: true, now }
    }
    const { refusal, conv, msgId, at } = prior.verdict
    if (refusal === null) {
      return { ok: true, conv, msgId, seq: 0, ord: 0, at, inbox: null, duplicate: true, now }
    }
    return { ok: false, msgId, ...REFUSALS[refusal], now }
  }

  /** Whether the copy carries what the first write did: kind, target, replyTo and body (rule A2). */
  sameContent(prior: Prior, view: CommandView): boolean {
    if (view.kind === CommandKind.refuse) return true
    if (prior.verdict !== null) {
      const { digest } = prior.verdict
      return digest === null || Buffer.compare(digest, contentDigest(view)!) === 0
    }
    const first = prior.event.view
    return (
      first.kind === view.kind &&
      first.replyTo === view.replyTo &&
      Buffer.compare(first.payload(), view.payload()) === 0
    )
  }

  #candidates(command: PreparedCommand, msgId: string, bound: number): number {
    const { dedupe } = this.#state
    if (msgId === command.view.msgId) {
      this.hashKey(command)
      return dedupe.find(command.keyHigh, command.keyLow, bound, this.#found)
    }
    const { high, low } = this.#hashOf(command, msgId)
    return dedupe.find(high, low, bound, this.#found)
  }

  #event(
    command: PreparedCommand,
    msgId: string,
    seq: number,
    bound: number,
    missing: Missing | null,
  ): Prior | null {
    if (command.ofUser) return null
    const conversation = this.conversation(command)
    if (conversation === undefined || seq > conversation.head) return null
    if (this.#newestTimeOf(conversation, seq) < bound) return null
    const event = this.#load(conversation, seq, missing)
    if (event === null) return null
    // The first event of a group is the result of a key of its creator, not of this conversation.
    if (conversation.kind === 'group' && seq === 1) return null
    if (event.view.msgId !== msgId || event.view.user !== command.view.user) return null
    return { event, conversation, verdict: null }
  }

  /**
   * At most this was log time at the event; exactly, if it is hot. A client may reuse one msgId with a
   * rising `since` as often as it likes: what is too old to count is neither decoded nor read.
   */
  #newestTimeOf(conversation: Conversation, seq: number): number {
    const hot = conversation.hotNumber(seq)
    return hot >= 0 ? this.#state.hot.logTime(hot) : conversation.coldLogTime
  }

  #load(conversation: Conversation, seq: number, missing: Missing | null): StoredEvent | null {
    const hot = conversation.hotNumber(seq)
    // Prefetch only asks whether it is there: decoding it would be for nothing.
    if (hot >= 0) return missing === null ? this.#state.hot.get(hot) : null
    const event = this.#cold.event(conversation.id, seq)
    if (event !== undefined) return event
    // Too old to be the result of anything: no node decides by it.
    if (this.#cold.isErased(conversation.id, seq)) return null
    assert(missing !== null, `event ${seq} of ${conversation.id} was not prefetched`)
    missing(conversation, seq)
    return null
  }

  #verdict(
    command: PreparedCommand,
    msgId: string,
    number: number,
    missing: Missing | null,
  ): Prior | null {
    // Purged means older than the window: its time could not match.
    if (number <= this.#state.purgedVerdict) return null
    const verdict = this.#state.verdicts.get(number) ?? this.#cold.verdict(number)
    if (verdict === undefined) {
      assert(missing !== null, `verdict ${number} was not prefetched`)
      missing(null, number)
      return null
    }
    const scope = command.ofUser ? '' : command.keyConversation
    if (verdict.scope !== scope || verdict.user !== command.view.user) return null
    return verdict.msgId === msgId ? { event: null, conversation: null, verdict } : null
  }
}

/** SHA-256 over what rule A2 compares; `null` for a refusal, whose content nobody saw. */
export function contentDigest(view: CommandView): Uint8Array | null {
  if (view.kind === CommandKind.refuse) return null
  const head = Buffer.from(`${view.kind}:${view.replyTo ?? ''}:`)
  return digestOf('sha256', Buffer.concat([head, view.payload()]), 'buffer')
}

function timeOf(prior: Prior): number {
  return prior.event !== null ? prior.event.logTime : prior.verdict.logTime
}
