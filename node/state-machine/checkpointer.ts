import { assert, type Failpoints } from '#cluster'
import type { Cut, CutPosition, Put } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { ByteWriter } from './byte-writer.ts'
import { Erasure } from './erasure.ts'
import { encodeConversation } from './conversation-codec.ts'
import type { Conversation } from './conversation-state.ts'
import {
  EXTENT_FIELDS,
  extentAt,
  extentCount,
  MAX_EXTENT_COUNT,
  withExtent,
  writeExtents,
} from './extents.ts'
import {
  chunkKey,
  conversationKey,
  dedupeKey,
  extentPageKey,
  membersKey,
  numberInCut,
  STATE_KEY,
  userKey,
  verdictKey,
} from './keys.ts'
import { shardsOf } from './members.ts'
import { encodeStateRecord } from './state-record.ts'
import { StoredEvent } from './stored-event.ts'
import type { Join } from './user.ts'
import { encodeVerdict, type Verdict } from './verdict.ts'

const DEDUPE_BLOCK_BYTES = 16_380
/** A head lists fewer than twice this many extents; at so many all but the newest of them are paged. */
const EXTENTS_IN_HEAD = 4
const EXTENTS_PER_PAGE = 256
/** Larger member lists get a record of their own, written only when they change. */
const MEMBERS_IN_HEAD_BYTES = 256
const NOTHING = new Uint8Array(0)

/** What a generation held at the moment it was frozen. */
interface Frozen extends CutPosition {
  readonly generation: number
  readonly conversations: readonly Conversation[]
  readonly joins: readonly Join[]
  readonly verdicts: readonly Verdict[]
  readonly dedupe: Uint8Array
  readonly purged: readonly Uint8Array[]
  readonly erased: readonly Put[]
  readonly state: Uint8Array
  readonly tables: readonly Generator<Put>[]
  /** Number that the hot tail would have given the next event. */
  readonly nextEvent: number
  readonly lastVerdict: number
}

/**
 * Writes cuts (rule K3): freezing takes O(1) of the conversations, everything else is encoded while
 * the store pulls it, in its slices, as it was at the freeze. Keys and bytes depend only on the state
 * at the last cut and the log up to this one.
 */
export class Checkpointer {
  readonly #state: ApplicationState
  readonly #failpoints: Failpoints
  readonly #savesSpace: () => boolean
  readonly #chunk = new ByteWriter(64 * 1024)
  #running = false
  /** What the next cut takes out of the store. */
  #erased: readonly Put[] = []
  #erases = false
  /** Log time of the oldest removal that waits for the window of results; after a start not known yet. */
  #waitsSince: number
  /** Events and conversations of the cut under way, and how many of them the store has pulled. */
  #steps = 0
  #done = 0

  /** `savesSpace`: the disk is nearly full. */
  constructor(state: ApplicationState, failpoints: Failpoints, savesSpace: () => boolean) {
    this.#state = state
    this.#failpoints = failpoints
    this.#savesSpace = savesSpace
    const { last, erased } = state.removals.place
    this.#waitsSince = last > erased ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  get running(): boolean {
    return this.#running
  }

  /** The next cut takes something out of the store, or the one after it would. */
  get erases(): boolean {
    return this.#erases
  }

  /** Nothing but further cuts keeps the store from letting go of what retention took away. */
  get isErasureDue(): boolean {
    const { removals, windowStart } = this.#state
    return this.#erases || Math.min(this.#waitsSince, removals.freshSince) < windowStart
  }

  /** Writes a cut of the state as it is now. Rejects with the store's error, which is final. */
  async run(): Promise<void> {
    assert(!this.#running, 'two checkpoints at one time')
    this.#running = true
    const state = this.#state
    const firstEvent = state.hot.firstUnwritten
    const frozen = this.#freeze()
    this.#failpoints.hit('checkpoint.begun')
    this.#steps = frozen.nextEvent - firstEvent + frozen.conversations.length
    this.#done = 0
    let aheadIsOut = false
    const ahead = this.#ahead(frozen, () => (aheadIsOut = true))
    const objects = this.#objects(frozen, () => aheadIsOut)
    const cut: Cut = {
      index: frozen.index,
      term: frozen.term,
      ahead,
      objects,
      urgency: () => this.#urgency(),
    }
    await state.store.checkpoint(cut)
    this.#failpoints.hit('checkpoint.shown')
    state.hot.written(frozen.nextEvent)
    state.verdicts.written(frozen.lastVerdict)
    state.users.completed()
    for (const table of state.tables) table.completed()
    state.dirty.completed()
    // Ready for the next cut, as a freeze cannot wait.
    const erasure = new Erasure(state, this.#savesSpace())
    this.#erased = await erasure.next()
    this.#waitsSince = erasure.waitsSince
    this.#erases = this.#erased.length > 0 || erasure.isMore
    this.#running = false
    this.#failpoints.hit('checkpoint.hotTailDropped')
  }

  #freeze(): Frozen {
    const state = this.#state
    const { appliedIndex: index, appliedTerm: term, windowStart, lastVerdict } = state
    const fresh = state.dedupe.takeFresh()
    const dedupe = fresh?.bytes ?? NOTHING
    const purged: Uint8Array[] = []
    while (state.dedupeCuts.length > 0 && state.dedupeCuts[0]!.maxLogTime < windowStart) {
      const old = state.dedupeCuts.shift()!
      for (let i = 0; i < old.blocks; i += 1) purged.push(dedupeKey(numberInCut(old.index, i)))
      while (state.purgedVerdict < old.lastVerdict) {
        state.purgedVerdict += 1
        purged.push(verdictKey(state.purgedVerdict))
      }
    }
    state.dedupe.drop(windowStart)
    if (fresh !== null) {
      const blocks = Math.ceil(dedupe.length / DEDUPE_BLOCK_BYTES)
      state.dedupeCuts.push({ index, blocks, maxLogTime: fresh.maxLogTime, lastVerdict })
    }
    return {
      index,
      term,
      ...state.dirty.freeze(),
      joins: state.users.freeze(),
      verdicts: state.verdicts.takeFresh(),
      dedupe,
      purged,
      erased: this.#erased,
      state: encodeStateRecord({
        index,
        term,
        logTime: state.logTime,
        windowStart,
        hash: state.hash.parts,
        conversations: state.numbers.count,
        users: state.users.count,
        lastVerdict,
        purgedVerdict: state.purgedVerdict,
        seedHigh: state.seedHigh,
        seedLow: state.seedLow,
        settings: state.settings,
        level: state.level,
        configuration: state.configuration,
        revocationBlocks: state.revocations.present,
        pushBlocks: state.push.present,
        removals: state.removals.place,
        dedupeCuts: state.dedupeCuts,
      }),
      tables: state.tables.map((table) => table.freeze()),
      nextEvent: state.hot.next,
      lastVerdict,
    }
  }

  /** Immutable values: event chunks, dedupe blocks, verdicts. */
  *#ahead(frozen: Frozen, done: () => void): Generator<Put> {
    const { index, dedupe } = frozen
    for (let i = 0; i * DEDUPE_BLOCK_BYTES < dedupe.length; i += 1) {
      const start = i * DEDUPE_BLOCK_BYTES
      const value = dedupe.subarray(start, start + DEDUPE_BLOCK_BYTES)
      yield { key: dedupeKey(numberInCut(index, i)), value }
    }
    for (const verdict of frozen.verdicts) {
      yield { key: verdictKey(verdict.number), value: encodeVerdict(verdict) }
    }
    yield* this.#chunks(frozen)
    done()
  }

  /** Runs of events, conversation by conversation, packed into chunks. */
  *#chunks(frozen: Frozen): Generator<Put> {
    const { chunkBytes } = this.#state.limits
    const chunk = this.#chunk
    chunk.clear()
    let count = 0
    for (const conversation of frozen.conversations) {
      // What was paged in a cut now complete need not stand in the head as well.
      const paged = conversation.pagedExtents * EXTENT_FIELDS
      if (paged > 0) conversation.extents = conversation.extents.slice(paged)
      conversation.pagedExtents = 0
      const head = (conversation.frozen ?? conversation).head
      let seq = conversation.writtenHead + 1
      while (seq <= head) {
        const number = numberInCut(frozen.index, count)
        const offset = chunk.length
        const firstSeq = seq
        const end = Math.min(head, firstSeq + MAX_EXTENT_COUNT - 2)
        for (; seq <= end && (chunk.length < chunkBytes || chunk.length === 0); seq += 1) {
          this.#writeEvent(conversation.hotNumber(seq))
        }
        const extent = { firstSeq, count: seq - firstSeq, chunk: number, offset }
        const length = chunk.length - offset
        conversation.extents = withExtent(conversation.extents, { ...extent, length })
        conversation.writtenHead = seq - 1
        this.#advance(extent.count)
        if (chunk.length >= chunkBytes) {
          yield { key: chunkKey(number), value: chunk.toBytes() }
          chunk.clear()
          count += 1
        }
      }
    }
    if (chunk.length === 0) return
    yield { key: chunkKey(numberInCut(frozen.index, count)), value: chunk.toBytes() }
  }

  #advance(steps: number): void {
    this.#done += steps
    this.#state.dirty.pulled(this.#done / this.#steps)
  }

  /** 0 while at most one cut's worth waits to be written, 1 from half way to the bound on. */
  #urgency(): number {
    const { dirty, limits } = this.#state
    const relaxed = limits.checkpointBytes
    const range = Math.max(1, (limits.dirtyBytes - relaxed) / 2)
    return Math.min(1, Math.max(0, (dirty.unwrittenBytes - relaxed) / range))
  }

  #writeEvent(hotNumber: number): void {
    assert(hotNumber >= 0, 'an event left memory before it was written')
    this.#state.hot.visit(hotNumber, (event) => StoredEvent.write(this.#chunk, event))
  }

  /** Mutable objects: heads, members, pages of extents, memberships, the state as a whole. */
  *#objects(frozen: Frozen, aheadIsOut: () => boolean): Generator<Put> {
    assert(aheadIsOut(), 'a cut is written before the values that it points at')
    for (const conversation of frozen.conversations) {
      yield* this.#encode(conversation, frozen.generation)
      this.#advance(1)
    }
    for (const { user, conversation, position } of frozen.joins) {
      const writer = new ByteWriter(8).varint(position)
      yield { key: userKey(user, conversation), value: writer.toBytes() }
    }
    for (const puts of frozen.tables) yield* puts
    yield* frozen.erased
    for (const key of frozen.purged) yield { key, value: null }
    yield { key: STATE_KEY, value: frozen.state }
  }

  /** Its head last: until then a change of the conversation keeps what this has not come to. */
  *#encode(conversation: Conversation, generation: number): Generator<Put> {
    const { id } = conversation
    const { extents } = conversation
    let paged = 0
    for (;;) {
      const left = extentCount(extents) - paged
      if (left < 2 * EXTENTS_IN_HEAD) break
      const end = paged + Math.min(left - EXTENTS_IN_HEAD, EXTENTS_PER_PAGE)
      const page = extents.slice(paged * EXTENT_FIELDS, end * EXTENT_FIELDS)
      const writer = new ByteWriter()
      writeExtents(writer, page)
      yield { key: extentPageKey(id, extentAt(page, 0).firstSeq), value: writer.toBytes() }
      paged = end
    }
    if (paged > 0) conversation.pagedExtents = paged
    let inHead: Uint8Array | null = null
    if (!conversation.membersApart) {
      inHead = memberShard(conversation, 0)
      const { listed } = conversation.frozen ?? conversation
      if (inHead.length > MEMBERS_IN_HEAD_BYTES || shardsOf(listed) > 1) {
        inHead = null
        conversation.membersApart = true
        for (let shard = 0; shard < shardsOf(listed); shard += 1) {
          yield { key: membersKey(id, shard), value: memberShard(conversation, shard) }
        }
      }
    } else if (conversation.membersGeneration >= generation) {
      const { listed } = conversation.frozen ?? conversation
      for (let shard = 0; shard < shardsOf(listed); shard += 1) {
        if (!isShardChanged(conversation, shard, generation)) continue
        yield { key: membersKey(id, shard), value: memberShard(conversation, shard) }
      }
    }
    const value = encodeConversation(conversation, conversation.frozen ?? conversation, inHead)
    conversation.frozen = null
    conversation.frozenShards = null
    conversation.encodedGeneration = generation
    yield { key: conversationKey(id), value }
  }
}

/** As of the freeze. */
function memberShard(conversation: Conversation, shard: number): Uint8Array {
  const { frozen, frozenShards, members } = conversation
  const kept = frozenShards?.get(shard)
  return kept === undefined ? members.encode(shard, frozen?.listed) : kept.bytes
}

function isShardChanged(conversation: Conversation, shard: number, generation: number): boolean {
  const { frozenShards, members } = conversation
  return frozenShards?.get(shard)?.changed ?? members.generationOf(shard) === generation
}
