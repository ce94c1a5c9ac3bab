import { assert, type Random } from '#cluster'
import { StoreDamagedError, type Store } from '../store/store.ts'
import { Amendments } from './amendments.ts'
import { ConversationCache } from './conversation-cache.ts'
import { ConversationNumbers } from './conversation-numbers.ts'
import { type DedupeBlock, DedupeTable } from './dedupe-table.ts'
import { DirtySet } from './dirty-set.ts'
import { FEATURE_LEVELS } from './feature-level.ts'
import { FeedIndex } from './feed-index.ts'
import { HotTail } from './hot-tail.ts'
import type { KeyHash } from './key-hash.ts'
import { ERASING_KEYS, RETAINED_KEYS, dedupeKey, numberInCut, STATE_KEY } from './keys.ts'
import type { StateLimits } from './limits.ts'
import type { Settings } from './settings.ts'
import { decodeStateRecord, type DedupeCut, type StateRecord } from './state-record.ts'
import { StateHash } from './state-hash.ts'
import { ObjectTable, type Table } from './object-table.ts'
import { RECEIPT_BLOCKS, type ReceiptBlock } from './receipt-block.ts'
import { Removals } from './removals.ts'
import { NameSet } from './name-set.ts'
import { PushSubscriptions } from './push-subscriptions.ts'
import { ReadGuard } from './read-guard.ts'
import { Revocations } from './revocations.ts'
import { Users } from './user.ts'
import { Verdicts } from './verdicts.ts'

/** Blocks read together at open. */
const BLOCKS_PER_READ = 64

export interface InitialState {
  readonly settings: Settings
  readonly random: Random
}

/** Everything that one store and the log after its newest cut make up; an install replaces it whole. */
export class ApplicationState {
  readonly store: Store
  readonly limits: StateLimits
  readonly dirty = new DirtySet()
  readonly conversations: ConversationCache
  readonly dedupe = new DedupeTable()
  readonly hot: HotTail
  readonly verdicts: Verdicts
  readonly users: Users
  readonly numbers: ConversationNumbers
  readonly revocations: Revocations
  readonly push: PushSubscriptions
  readonly readers = new ReadGuard()
  /** Every kind of mutable object but conversations: frozen, written and let go together. */
  readonly tables: readonly Table[]
  readonly receipts: ObjectTable<ReceiptBlock>
  readonly amendments: Amendments
  /** Conversations with a retention policy. */
  readonly retained: NameSet
  /** Users whose messages are being erased. */
  readonly erasing: NameSet
  readonly removals: Removals
  readonly feed: FeedIndex
  readonly hash: StateHash
  readonly seedHigh: number
  readonly seedLow: number

  /** Replaced whole by the command that changes one. */
  settings: Settings
  /** The cluster's feature level: what apply may meet in the log. */
  level: number
  appliedIndex: number
  appliedTerm: number
  logTime: number
  /** Results before this log time no longer count (rule A3). Never falls, whatever the settings. */
  windowStart: number
  lastVerdict: number
  purgedVerdict: number
  configuration: Uint8Array
  dedupeCuts: DedupeCut[]

  private constructor(store: Store, limits: StateLimits, record: StateRecord) {
    this.store = store
    this.limits = limits
    this.settings = record.settings
    this.level = record.level
    this.conversations = new ConversationCache(limits, this.dirty)
    this.numbers = new ConversationNumbers(store, record.conversations)
    this.users = new Users({
      store,
      limits,
      dirty: this.dirty,
      settings: () => this.settings,
      count: record.users,
    })
    this.removals = new Removals(store, record.removals)
    this.retained = new NameSet(store, RETAINED_KEYS)
    this.erasing = new NameSet(store, ERASING_KEYS)
    this.amendments = new Amendments(store, limits.amendmentBlocks)
    this.hot = new HotTail(limits.hotBytes)
    this.verdicts = new Verdicts(limits.verdicts)
    this.receipts = new ObjectTable(RECEIPT_BLOCKS, store, limits.receiptBlocks)
    this.verdicts.written(record.lastVerdict)
    this.revocations = new Revocations(store, record.revocationBlocks)
    this.push = new PushSubscriptions({
      store,
      dirty: this.dirty,
      present: record.pushBlocks,
      blocksInMemory: limits.pushBlocks,
    })
    this.feed = new FeedIndex(store, () => this.settings.feedEvents)
    this.tables = [
      this.amendments.table,
      this.retained,
      this.erasing,
      this.removals,
      this.feed,
      this.receipts,
      this.revocations.table,
      this.push.table,
      this.users.inboxes,
      this.users.pages,
      this.numbers,
    ]
    this.hash = new StateHash(record.hash)
    this.seedHigh = record.seedHigh
    this.seedLow = record.seedLow
    this.appliedIndex = record.index
    this.appliedTerm = record.term
    this.logTime = record.logTime
    this.windowStart = record.windowStart
    this.lastVerdict = record.lastVerdict
    this.purgedVerdict = record.purgedVerdict
    this.configuration = record.configuration
    this.dedupeCuts = [...record.dedupeCuts]
  }

  /** Loads the newest cut. Throws `StoreDamagedError` if what must be there is not. */
  static async load(
    store: Store,
    limits: StateLimits,
    initial: InitialState,
  ): Promise<ApplicationState> {
    if (store.cut === null) return new ApplicationState(store, limits, firstRecord(initial))
    const bytes = await store.get(STATE_KEY)
    if (bytes === null) throw new StoreDamagedError('the state record is missing from the store')
    const record = decodeStateRecord(bytes)
    assert(
      record.index === store.cut.index && record.term === store.cut.term,
      `the state record is of index ${record.index}, the newest cut of ${store.cut.index}`,
    )
    const state = new ApplicationState(store, limits, record)
    await state.feed.load()
    await state.dedupe.load(state.#dedupeBlocks(), state.settings.windowMs)
    return state
  }

  /** Prefix of the hash of every key in the conversation. */
  conversationPrefix(hash: KeyHash, id: string): KeyHash {
    return hash.start(this.seedHigh, this.seedLow).text('c').text(id)
  }

  /** Prefix of the hash of keys where the user stands in for the conversation (rule A1). */
  userPrefix(hash: KeyHash): KeyHash {
    return hash.start(this.seedHigh, this.seedLow).text('u')
  }

  /** An id that memory does not hold does not exist at all: every conversation is in memory. */
  get allInMemory(): boolean {
    return this.conversations.size === this.numbers.count
  }

  async *#dedupeBlocks(): AsyncGenerator<DedupeBlock> {
    for (const { index, blocks, maxLogTime } of this.dedupeCuts) {
      for (let first = 0; first < blocks; first += BLOCKS_PER_READ) {
        const count = Math.min(BLOCKS_PER_READ, blocks - first)
        const keys = Array.from({ length: count }, (_, i) =>
          dedupeKey(numberInCut(index, first + i)),
        )
        for (const bytes of await this.store.getMany(keys)) {
          if (bytes === null)
            throw new StoreDamagedError(`a dedupe block of cut ${index} is missing`)
          yield { bytes, maxLogTime }
        }
      }
    }
  }
}

function firstRecord(initial: InitialState): StateRecord {
  const { settings, random } = initial
  return {
    index: 0,
    term: 0,
    logTime: 0,
    windowStart: 0,
    hash: [0, 0, 0],
    conversations: 0,
    users: 0,
    lastVerdict: 0,
    purgedVerdict: 0,
    seedHigh: random.uint32(),
    seedLow: random.uint32(),
    settings,
    level: FEATURE_LEVELS.min,
    configuration: new Uint8Array(0),
    revocationBlocks: new Uint8Array(0),
    pushBlocks: new Uint8Array(0),
    removals: { last: 0, erased: 0 },
    dedupeCuts: [],
  }
}
