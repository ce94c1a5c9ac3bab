import { assert } from '#cluster'
import { StoreDamagedError, type Put } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { extentsOf } from './cold-events.ts'
import { asBuffer } from './command-codec.ts'
import { loadForRead } from './conversation-loader.ts'
import type { Conversation } from './conversation-state.ts'
import type { Extent } from './extents.ts'
import { chunkKey } from './keys.ts'
import type { PendingRemoval } from './removals.ts'
import { eraseEvent, isChunkDead, StoredEvent } from './stored-event.ts'

/** Of one cut: reading them takes a few ms each hundred. */
const MAX_CHUNKS = 256
/** Bytes of chunks that one cut writes anew; what is wholly erased is deleted, which costs nothing. */
const MAX_BYTES = 2 * 1024 * 1024
const MAX_REMOVALS = 1_000
/** Events looked at in chunks that are here already: nothing of that waits for the store. */
const MAX_AGAIN = 20_000

interface Run {
  readonly from: number
  upTo: number
  /** The message that is erased, with its edits; `null`: all, for nobody reads these again. */
  readonly of: number | null
}

/**
 * Lets the store go of bodies that retention took away: overwrites them where they lie, and deletes
 * the chunks in which nothing is left. Not before the window of results has passed them (rule A3): up
 * to then a copy of the write is compared with its body. A part of the work with each cut, so that
 * after a crash it goes on from there.
 */
export class Erasure {
  readonly #state: ApplicationState
  readonly #chunks = new Map<number, Buffer>()
  /** Which of them are not as the store has them any more. */
  readonly #changed = new Set<number>()
  #bytes = 0
  #again = 0

  constructor(state: ApplicationState) {
    this.#state = state
  }

  /** What the next cut changes; call right before it is frozen, and write it with it. */
  async next(): Promise<Put[]> {
    const { removals, windowStart } = this.#state
    let count = 0
    let rest: PendingRemoval | null = null
    while (count < MAX_REMOVALS && rest === null) {
      const removal = await removals.oldest(count)
      if (removal === null || removal.logTime >= windowStart) break
      rest = await this.#erase(removal)
      if (rest === null) count += 1
    }
    if (count === 0 && rest === null) return []
    const puts: Put[] = [...removals.done(count, rest)]
    for (const chunk of this.#changed) {
      const bytes = this.#chunks.get(chunk)!
      puts.push({ key: chunkKey(chunk), value: isChunkDead(bytes) ? null : bytes })
    }
    return puts
  }

  /** What is left of it, `null` if nothing: a cut takes so much and no more. */
  async #erase(removal: PendingRemoval): Promise<PendingRemoval | null> {
    const conversation = await this.#conversation(removal.conv)
    const { seqs, from, upTo } = removal
    if (seqs === null) {
      const last = await this.#eraseRun(conversation, { from, upTo, of: null })
      return last === upTo ? null : { ...removal, from: last + 1 }
    }
    for (const [i, seq] of seqs.entries()) {
      // What was cut off meanwhile may be gone already.
      if (seq < conversation.firstSeq) continue
      const amendment = await this.#state.amendments.read(conversation, seq)
      const run = { from: i === 0 ? Math.max(seq, from) : seq, upTo: seq, of: seq }
      if (amendment !== null) run.upTo = Math.max(seq, amendment.edited)
      const last = await this.#eraseRun(conversation, run)
      if (last < run.upTo) return { ...removal, seqs: seqs.slice(i), from: last + 1 }
    }
    return null
  }

  /** How far it came. */
  async #eraseRun(conversation: Conversation, { from, upTo, of }: Run): Promise<number> {
    const { store } = this.#state
    for await (const extent of extentsOf(store, conversation, from, upTo, false)) {
      if (this.#isFull) return extent.firstSeq - 1
      const chunk = await this.#chunk(extent)
      if (chunk === null) continue
      let at = extent.offset
      for (let seq = extent.firstSeq; seq < extent.firstSeq + extent.count; seq += 1) {
        const { event, next } = StoredEvent.read(chunk, at, chunk.length)
        // The group itself is known by its first event for ever (rule A1).
        const isKept = conversation.kind === 'group' && seq === 1
        const isMeant = of === null || seq === of || event.view.target === of
        if (seq >= from && seq <= upTo && isMeant && !isKept) {
          eraseEvent(chunk, at, of === null)
          this.#changed.add(extent.chunk)
        }
        at = next
      }
    }
    return upTo
  }

  get #isFull(): boolean {
    const { size } = this.#chunks
    return size >= MAX_CHUNKS || this.#bytes >= MAX_BYTES || this.#again >= MAX_AGAIN
  }

  /** `null`: erased and deleted by an earlier cut, together with others. */
  async #chunk(extent: Extent): Promise<Buffer | null> {
    const known = this.#chunks.get(extent.chunk)
    if (known !== undefined) {
      this.#again += extent.count
      return known
    }
    const found = await this.#state.store.get(chunkKey(extent.chunk))
    if (found === null) return null
    const bytes = Buffer.from(asBuffer(found))
    this.#chunks.set(extent.chunk, bytes)
    this.#bytes += bytes.length
    return bytes
  }

  async #conversation(id: string): Promise<Conversation> {
    const hot = this.#state.conversations.get(id)
    if (hot !== undefined) return hot
    const [loaded] = await loadForRead(this.#state, [id], null)
    if (loaded === null || loaded === undefined) {
      throw new StoreDamagedError(`${id} is missing from the store`)
    }
    assert(loaded.id === id, 'a conversation is loaded for another one')
    return loaded
  }
}
