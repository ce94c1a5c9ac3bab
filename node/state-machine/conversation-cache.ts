import { assert } from '#cluster'
import { ClockHand } from './clock-hand.ts'
import type { Conversation } from './conversation-state.ts'
import type { DirtySet } from './dirty-set.ts'
import { KeyHash } from './key-hash.ts'
import type { StateLimits } from './limits.ts'

/**
 * Conversations in memory, at most about `maxCount` with at most about `maxMembers` in all: the clock
 * algorithm lets go of clean ones that nobody named since the hand last came by. A dirty one never
 * leaves (rule K4).
 */
export class ConversationCache {
  readonly #maxCount: number
  readonly #maxMembers: number
  readonly #dirty: DirtySet
  readonly #byId = new Map<string, Conversation>()
  /** Direct ones by a hash of their two members: finds most without making up their id. */
  readonly #byPair = new Map<number, Conversation>()
  readonly #hash = new KeyHash()
  /** Of all conversations here together. */
  #members = 0
  readonly #hand = new ClockHand(this.#byId)

  constructor(limits: StateLimits, dirty: DirtySet) {
    this.#maxCount = limits.conversations
    this.#maxMembers = limits.members
    this.#dirty = dirty
  }

  get size(): number {
    return this.#byId.size
  }

  get(id: string): Conversation | undefined {
    const conversation = this.#byId.get(id)
    if (conversation !== undefined) conversation.used = true
    return conversation
  }

  /**
   * The direct conversation of the two, in any order. `undefined` says nothing: of pairs with one hash
   * only the newest is found here. To hash a pair's id (`directConversationId`) takes a microsecond.
   */
  direct(one: string, other: string): Conversation | undefined {
    const [first, second] = one < other ? [one, other] : [other, one]
    const conversation = this.#byPair.get(this.#pairHash(first, second))
    if (conversation === undefined || !isBetween(conversation, first, second)) return undefined
    conversation.used = true
    return conversation
  }

  add(conversation: Conversation): void {
    assert(!this.#byId.has(conversation.id), `${conversation.id} is in memory twice`)
    this.#byId.set(conversation.id, conversation)
    this.#members += conversation.listed
    if (conversation.kind === 'direct') this.#byPair.set(this.#pairOf(conversation), conversation)
  }

  /** A conversation that is here has one member more. */
  grew(): void {
    this.#members += 1
  }

  readonly #isFull = (): boolean =>
    this.#byId.size > this.#maxCount || this.#members > this.#maxMembers

  /** Call between entries only: what an entry names must stay until it is applied. */
  evict(): void {
    this.#hand.sweep(this.#isFull, this.#letGo)
  }

  readonly #letGo = (conversation: Conversation): void => {
    if (!this.#dirty.isClean(conversation)) return
    this.#byId.delete(conversation.id)
    this.#members -= conversation.listed
    if (conversation.kind !== 'direct') return
    const pair = this.#pairOf(conversation)
    if (this.#byPair.get(pair) === conversation) this.#byPair.delete(pair)
  }

  #pairOf({ members }: Conversation): number {
    return this.#pairHash(members.list[0]!.user, members.list.at(-1)!.user)
  }

  /** 30 bits, so that the map's keys are no objects. */
  #pairHash(first: string, second: string): number {
    return this.#hash.start(1, 2).text(first).text(second).finish().high >>> 2
  }
}

/** The members of a direct conversation never change, and stand in the order of their names. */
function isBetween({ members }: Conversation, first: string, second: string): boolean {
  const { list } = members
  if (list.length !== (first === second ? 1 : 2)) return false
  return list[0]!.user === first && list[list.length - 1]!.user === second
}
