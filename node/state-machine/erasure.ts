import { asBuffer, assert } from '#cluster'
import { StoreDamagedError, type Put } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { extentsOf } from './cold-events.ts'
import { loadForRead } from './conversation-loader.ts'
import type { Conversation } from './conversation-state.ts'
import type { Extent } from './extents.ts'
import { chunkKey } from './keys.ts'
import type { PendingRemoval } from './removals.ts'
import { eraseEvent, isChunkDead, StoredEvent } from './stored-event.ts'

/** Of one cut: reading them takes a few ms each hundred. */
const CHUNKS = 256
/** Bytes of chunks that one cut writes anew; what is wholly erased is deleted, which costs nothing. */
const BYTES = 2 * 1024 * 1024
const REMOVALS = 1_000
/** Events looked at in chunks that are here already: nothing of that waits for the store. */
const AGAIN = 20_000
/** A cut takes so much more for each minute, of log time, that the oldest removal is late … */
const LATE_MS = 60_000
/** … but no more than so many times as much: a cut is one batch, and others wait for it. */
const MOST = 4

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
  /** `null`: nothing is left in it. */
  readonly #chunks = new Map<number, Buffer | null>()
  /** Which of them are not as the store has them any more. */
  readonly #changed = new Set<number>()
  readonly #savesSpace: boolean
  #share = 1
  #bytes = 0
  #again = 0
  #isMore = false
  #waitsSince = Number.POSITIVE_INFINITY

  /** On a disk that is nearly full it reads as much as a cut takes, and writes no more for it. */
  constructor(state: ApplicationState, savesSpace: boolean) {
    this.#state = state
    this.#savesSpace = savesSpace
  }

  /** More is due than this cut takes. */
  get isMore(): boolean {
    return this.#isMore
  }

  /** Log time of the oldest removal that the window has not passed, as found; `Infinity`: none waits. */
  get waitsSince(): number {
    return this.#waitsSince
  }

  /** What the next cut changes; call right before it is frozen, and write it with it. */
  async next(): Promise<Put[]> {
    const { removals, windowStart } = this.#state
    let count = 0
    let rest: PendingRemoval | null = null
    while (rest === null) {
      const removal = await removals.oldest(count)
      if (removal === null) break
      if (removal.logTime >= windowStart) {
        this.#waitsSince = removal.logTime
        break
      }
      if (count === 0) this.#share = shareOf(windowStart - removal.logTime)
      this.#isMore = count >= REMOVALS * this.#share || this.#isFull
      if (this.#isMore) break
      rest = await this.#erase(removal)
      if (rest === null) count += 1
    }
    this.#isMore ||= rest !== null
    if (count === 0 && rest === null) return []
    const puts: Put[] = [...removals.done(count, rest)]
    for (const chunk of this.#changed) {
      puts.push({ key: chunkKey(chunk), value: this.#chunks.get(chunk)! })
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
      if (this.#changed.has(extent.chunk) && isChunkDead(chunk)) {
        this.#chunks.set(extent.chunk, null)
        this.#bytes -= chunk.length
      }
    }
    return upTo
  }

  get #isFull(): boolean {
    const { size } = this.#chunks
    const share = this.#share
    const reads = this.#savesSpace ? MOST : share
    return size >= CHUNKS * reads || this.#bytes >= BYTES * share || this.#again >= AGAIN * reads
  }

  /** `null`: nothing is left in it; an earlier cut may have deleted it. */
  async #chunk(extent: Extent): Promise<Buffer | null> {
    const known = this.#chunks.get(extent.chunk)
    if (known === null) return null
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

function shareOf(lateMs: number): number {
  return Math.min(MOST, 1 + Math.floor(lateMs / LATE_MS))
}
