import { assert } from '#cluster'
import type { Conversation } from './conversation-state.ts'
import { shardOf, shardsOf } from './members.ts'

/**
 * What changed since the last cut, in generations: `freeze` ends one in O(1), and its conversations
 * are encoded as they were then, either before their next change or when the checkpointer comes to
 * them (rule K3).
 */
export class DirtySet {
  #generation = 1
  #list: Conversation[] = []
  #bytes = 0
  /** 0 while no cut is being written. */
  #frozen = 0
  #frozenBytes = 0
  /** Of `#frozenBytes` what the store has not yet pulled. */
  #unpulledBytes = 0

  get generation(): number {
    return this.#generation
  }

  /** Bytes of commands that no completed cut covers. */
  get bytes(): number {
    return this.#bytes + this.#frozenBytes
  }

  /** As `bytes`, but without the part of the cut under way that the store has pulled already. */
  get unwrittenBytes(): number {
    return this.#bytes + this.#unpulledBytes
  }

  /** Bytes of commands since the last freeze. */
  get freshBytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#list.length
  }

  addBytes(count: number): void {
    this.#bytes += count
  }

  /** Call before any change of the conversation's head. */
  touch(conversation: Conversation): void {
    if (conversation.dirtyGeneration === this.#generation) return
    if (this.#awaitsEncoding(conversation)) {
      const { head, ord, lastAt, lastLogTime, unlisted, large, firstSeq, amended } = conversation
      const { present, listed, name, meta, retention, history } = conversation
      const place = { head, ord, lastAt, lastLogTime, unlisted, large, firstSeq, amended }
      conversation.frozen = { ...place, present, listed, name, meta, retention, history }
    }
    conversation.dirtyGeneration = this.#generation
    this.#list.push(conversation)
  }

  /** Call before any change of the conversation's member at that position, also of one who comes. */
  touchMembers(conversation: Conversation, position: number): void {
    this.touch(conversation)
    const { frozen, members } = conversation
    if (frozen !== null) {
      const shard = shardOf(position)
      conversation.frozenShards ??= new Map()
      if (shard < shardsOf(frozen.listed) && !conversation.frozenShards.has(shard)) {
        conversation.frozenShards.set(shard, {
          bytes: members.encode(shard, frozen.listed),
          changed: members.generationOf(shard) === this.#frozen,
        })
      }
    }
    members.touch(position, this.#generation)
    conversation.membersGeneration = this.#generation
  }

  /** In a completed cut as it is, so that memory may let it go. */
  isClean(conversation: Conversation): boolean {
    const oldest = this.#frozen === 0 ? this.#generation : this.#frozen
    return conversation.dirtyGeneration < oldest
  }

  freeze(): { generation: number; conversations: readonly Conversation[] } {
    assert(this.#frozen === 0, 'two cuts at one time')
    const frozen = { generation: this.#generation, conversations: this.#list }
    this.#frozen = this.#generation
    this.#frozenBytes = this.#bytes
    this.#unpulledBytes = this.#bytes
    this.#generation += 1
    this.#list = []
    this.#bytes = 0
    return frozen
  }

  /** The store has pulled this share, 0 to 1, of the cut under way. */
  pulled(share: number): void {
    assert(share >= 0 && share <= 1, `a cut of which ${share} is written`)
    this.#unpulledBytes = this.#frozenBytes * (1 - share)
  }

  completed(): void {
    assert(this.#frozen !== 0, 'a cut ends that never began')
    this.#frozen = 0
    this.#frozenBytes = 0
    this.#unpulledBytes = 0
  }

  #awaitsEncoding(conversation: Conversation): boolean {
    return (
      this.#frozen !== 0 &&
      conversation.dirtyGeneration === this.#frozen &&
      conversation.encodedGeneration !== this.#frozen
    )
  }
}
