import {
  assert,
  type Clock,
  type Configuration,
  decodeConfiguration,
  type Entry,
  EntryType,
  type Failpoints,
  NO_FAILPOINTS,
  type Random,
  type SnapshotMeta,
  type SnapshotSink,
  type SnapshotSource,
  type StateMachine,
  type Timer,
  HistogramCell,
} from '#cluster'
import { StoreDamagedError, type Pair, type Store, type StoreDirectory } from '../store/store.ts'
import { ApplicationState, type InitialState } from './application-state.ts'
import { Checkpointer } from './checkpointer.ts'
import { ColdObjects } from './cold-objects.ts'
import { ConversationApply } from './conversation.ts'
import { STATE_KEY } from './keys.ts'
import { DEFAULT_LIMITS, type StateLimits } from './limits.ts'
import { FEATURE_LEVELS, LevelTooHighError } from './feature-level.ts'
import { Prefetch } from './prefetch.ts'
import { prepareEntry, type PreparedEntry } from './prepared-entry.ts'
import { Reader } from './reader.ts'
import { DEFAULT_SETTINGS, type Settings } from './settings.ts'
import { isKeyed } from './commands.ts'
import { SnapshotInstall } from './snapshot-install.ts'
import { PinnedSnapshotSource } from './snapshot-source.ts'
import { decodeStateRecord } from './state-record.ts'
import { SystemApply } from './system.ts'
import type { ApplyListener, StateReader } from './types.ts'

export interface StateMachineOptions {
  /** Whose store is open; it stays the caller's to close, after this. */
  readonly directory: StoreDirectory
  readonly clock: Clock
  readonly random: Random
  /**
   * The configuration that the log starts with (`log.snapshot.configuration`): in force at a cut
   * before which no configuration entry was applied. Asked only once the replica is formed.
   */
  readonly configuration: () => Configuration
  /** As given to `listen`, from the start. */
  readonly listener?: ApplyListener | null
  /** A checkpoint failed: final, the process must end. */
  readonly onFailure: (error: Error) => void
  /** A read met damage: this state is served no more (rule K5). @default whoever reads sees to it */
  readonly onDamage?: (error: StoreDamagedError) => void
  readonly limits?: Partial<StateLimits>
  /** @default none */
  readonly failpoints?: Failpoints
  /** Seeds an empty state; the same on every node, as they are part of the formation (rule A9). */
  readonly settings?: Partial<Settings>
  /** The highest feature level that this node can do. @default `FEATURE_LEVELS.max` */
  readonly mostLevel?: number
}

/** On a disk that is nearly full a cut that makes room, or leads to one that does, waits no longer. */
const ROOM_IDLE_MS = 1_000

/** A large cut is written for a while, in slices. */
const CHECKPOINT_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Everything bound to one state: replaced whole when a snapshot takes over. */
interface Live {
  readonly state: ApplicationState
  readonly cold: ColdObjects
  readonly conversation: ConversationApply
  readonly system: SystemApply
  readonly prefetch: Prefetch
  readonly checkpointer: Checkpointer
}

/**
 * The deterministic state of a node: conversations, members, events and the results of writes, built
 * from the log alone (rules A1–A10), kept in memory first and in the store by checkpoints (K3).
 */
export class ParleyStateMachine implements StateMachine {
  readonly #options: StateMachineOptions
  readonly #limits: StateLimits
  readonly #reader: Reader
  #live: Live
  #listener: ApplyListener | null = null
  #prepared: { readonly entry: Entry; readonly content: PreparedEntry } | null = null
  #persistedIndex: number
  /**
   * Where the log ended at the start. A cut while it is replayed would make the start longer, of the
   * nodes beside this one too: it waits for the first new entry, or until memory bids it.
   */
  #replayUpTo = 0
  #checkpoint: Promise<void> | null = null
  #isDue = false
  #idleTimer: Timer | null = null
  /** What it was set to. */
  #idleMs = 0
  #savesSpace = false
  #waiting: (() => void)[] = []
  /** Of a checkpoint: final. */
  #failure: Error | null = null
  #isClosed = false
  #isReplacing = false
  /** From a cut's freeze to its end on disk, in seconds. */
  readonly checkpointDuration = new HistogramCell(CHECKPOINT_BUCKETS_S)

  private constructor(options: StateMachineOptions, limits: StateLimits, state: ApplicationState) {
    this.#options = options
    this.#limits = limits
    this.#listener = options.listener ?? null
    this.#live = this.#bind(state)
    this.#reader = new Reader(
      () => this.#live.state,
      (error) => {
        if (!this.#isClosed) options.onDamage?.(error)
      },
    )
    this.#persistedIndex = state.appliedIndex
  }

  /**
   * Loads the newest cut; the log is replayed after it through `apply`.
   *
   * @throws LevelTooHighError if the state is of a later version
   */
  static async open(options: StateMachineOptions): Promise<ParleyStateMachine> {
    const { store } = options.directory
    assert(store !== null, 'a damaged store is discarded before the state opens')
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    const state = await ApplicationState.load(store, limits, initialState(options))
    return new ParleyStateMachine(options, limits, state)
  }

  get appliedIndex(): number {
    return this.#live.state.appliedIndex
  }

  get appliedTerm(): number {
    return this.#live.state.appliedTerm
  }

  /** Log time in ms of the newest applied entry: where a new leader goes on from (rule A8). */
  get logTime(): number {
    return this.#live.state.logTime
  }

  get reader(): StateReader {
    return this.#reader
  }

  get compactableIndex(): number {
    return this.#store.previousCut?.index ?? 0
  }

  /** The next cut takes something out of the store that retention took away. */
  get erases(): boolean {
    return this.#live.checkpointer.erases
  }

  /** Whether the disk is nearly full: what retention took away is let go of as soon as it may be. */
  get savesSpace(): boolean {
    return this.#savesSpace
  }

  saveSpace(saves: boolean): void {
    if (saves === this.#savesSpace) return
    this.#savesSpace = saves
    this.#maybeCheckpoint()
  }

  /** More is applied than checkpoints keep up with: the leader proposes nothing (rule K3). */
  get overloaded(): boolean {
    return this.#live.state.dirty.unwrittenBytes >= this.#limits.dirtyBytes
  }

  /** For metrics. */
  get statistics(): {
    readonly conversations: number
    readonly conversationsInMemory: number
    readonly users: number
    readonly inboxesInMemory: number
    readonly dedupeSlots: number
    readonly dedupeBytes: number
    readonly hotBytes: number
    readonly dirtyBytes: number
    /** What waits to be written, and at how much the leader takes no more. */
    readonly unwrittenBytes: number
    readonly unwrittenLimitBytes: number
    readonly checkpointIndex: number
  } {
    const { numbers, conversations, users, dedupe, hot, dirty } = this.#live.state
    return {
      conversations: numbers.count,
      conversationsInMemory: conversations.size,
      users: users.count,
      inboxesInMemory: users.inboxes.size,
      dedupeSlots: dedupe.size,
      dedupeBytes: dedupe.bytes,
      hotBytes: hot.bytes,
      dirtyBytes: dirty.bytes,
      unwrittenBytes: dirty.unwrittenBytes,
      unwrittenLimitBytes: this.#limits.dirtyBytes,
      checkpointIndex: this.#store.cut?.index ?? 0,
    }
  }

  /** Tells of results and events during apply, also while the log is replayed after a start. */
  listen(listener: ApplyListener): void {
    this.#listener = listener
    this.#live.conversation.listener = listener
    this.#live.system.listener = listener
  }

  prefetch(entry: Entry): Promise<void> | null {
    if (entry.type !== EntryType.normal || entry.data.length === 0) return null
    if (this.#isSwamped) return this.#prefetchOnceCut(entry)
    return this.#live.prefetch.run(this.#prepare(entry))
  }

  apply(entry: Entry): void {
    const { state, cold, conversation, system } = this.#live
    const listener = this.#listener
    assert(entry.index === state.appliedIndex + 1, `entry ${entry.index} is applied out of order`)
    state.hash.entry(entry)
    if (entry.type === EntryType.configuration) {
      decodeConfiguration(entry.data)
      state.configuration = entry.data
    } else if (entry.data.length > 0) {
      assert(entry.type === EntryType.normal, 'an entry of unknown type: this node is too old')
      const { stamp, commands } = this.#prepare(entry)
      // Rule A8: whatever a leader stamps, log time and with it the window never fall.
      state.logTime = Math.max(state.logTime, stamp.logTime)
      state.windowStart = Math.max(state.windowStart, state.logTime - state.settings.windowMs)
      conversation.beginEntry(stamp.wallTime)
      for (const command of commands) {
        const { view } = command
        const isOfConversation = isKeyed(view.kind) || command.cursors !== null
        const result = isOfConversation ? conversation.apply(command) : system.apply(view)
        state.hash.result(result)
        listener?.onResult(view.origin, view.request, result)
      }
    }
    state.appliedIndex = entry.index
    state.appliedTerm = entry.term
    state.dirty.addBytes(entry.data.length)
    this.#prepared = null
    cold.clear()
    state.hot.evict()
    state.verdicts.evict()
    state.conversations.evict()
    for (const table of state.tables) table.evict()
    listener?.onApplied(entry.index)
    this.#maybeCheckpoint()
  }

  logPersisted(index: number): void {
    if (index <= this.#persistedIndex) return
    if (this.#replayUpTo === 0) this.#replayUpTo = index
    this.#persistedIndex = index
    this.#maybeCheckpoint()
  }

  /**
   * Resolves when a cut at or past what is applied now is durable; waits for the log if it must. Rejects
   * if a checkpoint failed, which is final.
   */
  async checkpoint(): Promise<void> {
    const target = this.appliedIndex
    while ((this.#store.cut?.index ?? 0) < target) {
      assert(!this.#isClosed, 'a closed state writes no checkpoint')
      if (this.#failure !== null) throw this.#failure
      this.#isDue = true
      this.#maybeCheckpoint()
      await (this.#checkpoint ?? new Promise<void>((resolve) => this.#waiting.push(resolve)))
    }
  }

  /**
   * Whether the store holds what is to be erased and nothing but a further entry in the log brings
   * that on: a cut needs one, and so does log time, which would stand at `logTime` now.
   */
  async erasureNeedsEntry(logTime: number): Promise<boolean> {
    const { state, checkpointer } = this.#live
    const { appliedIndex, removals, settings, store, windowStart } = state
    const hasNoCut = appliedIndex > (store.cut?.index ?? 0) || checkpointer.running
    if (checkpointer.erases) return !hasNoCut
    const since = (await removals.oldest(0))?.logTime ?? removals.freshSince
    if (since < windowStart) return !hasNoCut
    return since < logTime - settings.windowMs
  }

  async openSnapshot(): Promise<SnapshotSource> {
    if (this.#store.cut === null) await this.checkpoint()
    const snapshot = await this.#store.snapshot()
    const configuration = (await configurationOf(snapshot.pairs())) ?? this.#options.configuration()
    return new PinnedSnapshotSource({ ...snapshot.cut, configuration }, snapshot)
  }

  async beginInstall(meta: SnapshotMeta): Promise<SnapshotSink> {
    const install = await this.#options.directory.install()
    return new SnapshotInstall(meta, install, (store, retire) => this.#takeOver(store, retire))
  }

  /** Waits for a checkpoint under way. The store stays open. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#idleTimer?.cancel()
    this.#idleTimer = null
    await this.#checkpoint
  }

  get #store(): Store {
    return this.#live.state.store
  }

  /** A follower applies what others decided to propose: this is what bounds its memory (rule K3). */
  get #isSwamped(): boolean {
    return this.#live.state.dirty.bytes >= 2 * this.#limits.dirtyBytes
  }

  async #prefetchOnceCut(entry: Entry): Promise<void> {
    while (this.#isSwamped) {
      this.#isDue = true
      this.#maybeCheckpoint()
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    await this.#live.prefetch.run(this.#prepare(entry))
  }

  #prepare(entry: Entry): PreparedEntry {
    if (this.#prepared?.entry === entry) return this.#prepared.content
    this.#live.cold.clear()
    const content = prepareEntry(entry.data, this.#live.state.conversations)
    this.#prepared = { entry, content }
    return content
  }

  #bind(state: ApplicationState): Live {
    const cold = new ColdObjects()
    const conversation = new ConversationApply(state, cold)
    conversation.listener = this.#listener
    const { mostLevel = FEATURE_LEVELS.max } = this.#options
    if (state.level > mostLevel) throw new LevelTooHighError(state.level, mostLevel)
    const system = new SystemApply(state, mostLevel)
    system.listener = this.#listener
    const prefetch = new Prefetch(state, cold, conversation.results, system)
    const { failpoints = NO_FAILPOINTS } = this.#options
    const checkpointer = new Checkpointer(state, failpoints, () => this.#savesSpace)
    return { state, cold, conversation, system, prefetch, checkpointer }
  }

  /** Starts a cut if one is due and may be written: never past the durable log (rule K3). */
  #maybeCheckpoint(): void {
    const { state, checkpointer } = this.#live
    if (state.appliedIndex === (state.store.cut?.index ?? 0) || this.#isClosed) return
    if (this.#checkpoint !== null || this.#isReplacing) return
    this.#setIdleTimer(checkpointer)
    const mayWait = state.appliedIndex <= this.#replayUpTo && !this.#isSwamped
    // Who waits for a cut must have one coming, whatever the two bounds are.
    const isFull = this.overloaded || state.dirty.freshBytes >= this.#limits.checkpointBytes
    const isDue = this.#isDue || (isFull && !mayWait)
    if (!isDue || state.appliedIndex > this.#persistedIndex) return
    this.#idleTimer?.cancel()
    this.#idleTimer = null
    this.#isDue = false
    const { clock } = this.#options
    const sinceMs = clock.monotonicMs()
    this.#checkpoint = checkpointer.run().then(
      () => {
        this.checkpointDuration.observe((clock.monotonicMs() - sinceMs) / 1_000)
        this.#checkpointDone()
      },
      (error: Error) => {
        this.#checkpoint = null
        if (this.#live.checkpointer === checkpointer) this.#failure = error
        // Of a closed or replaced state nobody asks any more.
        if (!this.#isClosed && this.#live.checkpointer === checkpointer) {
          this.#options.onFailure(error)
        }
      },
    )
  }

  #setIdleTimer(checkpointer: Checkpointer): void {
    const { checkpointIdleMs, erasureIdleMs } = this.#limits
    let idleMs = checkpointIdleMs
    if (checkpointer.erases) idleMs = Math.min(idleMs, erasureIdleMs)
    if (this.#savesSpace && checkpointer.isErasureDue) idleMs = Math.min(idleMs, ROOM_IDLE_MS)
    if (this.#idleTimer !== null && this.#idleMs <= idleMs) return
    this.#idleTimer?.cancel()
    this.#idleMs = idleMs
    this.#idleTimer = this.#options.clock.after(idleMs, () => {
      this.#idleTimer = null
      this.#isDue = true
      this.#maybeCheckpoint()
    })
  }

  #checkpointDone(): void {
    this.#checkpoint = null
    this.#wake()
    this.#maybeCheckpoint()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  async #takeOver(store: Store, retire: () => Promise<void>): Promise<void> {
    const initial = initialState(this.#options)
    const state = await ApplicationState.load(store, this.#limits, initial)
    const old = this.#live.state
    this.#isReplacing = true
    await this.#checkpoint
    this.#idleTimer?.cancel()
    this.#idleTimer = null
    this.#isDue = false
    this.#prepared = null
    this.#live = this.#bind(state)
    this.#persistedIndex = Math.max(this.#persistedIndex, state.appliedIndex)
    this.#isReplacing = false
    this.#wake()
    await old.readers.idle()
    await retire()
  }
}

/**
 * The configuration applied up to a cut stands in its state record, the first of all pairs; `null` if
 * there was none yet.
 */
async function configurationOf(pairs: AsyncIterable<Pair>): Promise<Configuration | null> {
  for await (const { key, value } of pairs) {
    if (Buffer.compare(key, STATE_KEY) !== 0) break
    const { configuration } = decodeStateRecord(value)
    return configuration.length === 0 ? null : decodeConfiguration(configuration)
  }
  throw new StoreDamagedError('the state record is missing from a snapshot')
}

function initialState(options: StateMachineOptions): InitialState {
  return {
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
    random: options.random,
  }
}
