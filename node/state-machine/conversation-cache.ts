import { assert } from '#cluster'
import type { Conversation } from './conversation-state.ts'
import type { DirtySet } from './dirty-set.ts'

/** How far the hand moves per call: eviction never takes long at once. */
const STEPS_PER_SWEEP = 2_048

/**
 * Conversations in memory, at most about `maxCount`: the clock algorithm lets go of clean ones that
 * nobody named since the hand last came by. A dirty one never leaves (rule K4).
 */
export class ConversationCache {
  readonly #maxCount: number
  readonly #dirty: DirtySet
  readonly #byId = new Map<string, Conversation>()
  #hand: Iterator<Conversation> | null = null

  constructor(maxCount: number, dirty: DirtySet) {
    this.#maxCount = maxCount
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

  add(conversation: Conversation): void {
    assert(!this.#byId.has(conversation.id), `${conversation.id} is in memory twice`)
    this.#byId.set(conversation.id, conversation)
  }

  /** Call between entries only: what an entry names must stay until it is applied. */
  evict(): void {
    for (let steps = 0; this.#byId.size > this.#maxCount && steps < STEPS_PER_SWEEP; steps += 1) {
      this.#hand ??= this.#byId.values()
      const { value: conversation, done } = this.#hand.next()
      if (done === true) {
        this.#hand = null
      } else if (conversation.used) {
        conversation.used = false
      } else if (this.#dirty.isClean(conversation)) {
        this.#byId.delete(conversation.id)
      }
    }
  }
}
