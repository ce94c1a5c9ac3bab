import { assert, assertSafeInteger } from '../assert.ts'
import { decodeConfiguration, type Configuration } from '../raft/configuration.ts'
import {
  EntryType,
  NO_ONE,
  type Entry,
  type HardState,
  type RaftId,
  type SnapshotMeta,
} from '../raft/types.ts'
import type { AppendRequest, Formation } from './log-storage.ts'
import type { Position } from './record-codec.ts'
import { TermRuns } from './term-runs.ts'

const NO_CONFIGURATION: Configuration = { voters: [], outgoing: [], learners: [] }

const RAFT_ID = /^[0-9a-f]{16}$/

/**
 * What a log knows besides the bytes of its entries, and the rules that every append obeys. The
 * same code runs when a batch is written and when it is read back.
 */
export class LogState {
  readonly raftId: RaftId
  #formation: Formation | null
  #hardState: HardState
  #start: SnapshotMeta
  #lastIndex: number
  #terms: TermRuns
  #configurations: { index: number; configuration: Configuration }[] = []

  constructor(options: {
    raftId: RaftId
    formation: Formation | null
    hardState: HardState
    start: Position
  }) {
    assert(RAFT_ID.test(options.raftId), `raft id ${options.raftId} is not 16 hexadecimal digits`)
    this.raftId = options.raftId
    this.#formation = options.formation
    this.#hardState = options.hardState
    this.#start = options.start
    this.#lastIndex = options.start.index
    this.#terms = new TermRuns(options.start.index, options.start.term)
  }

  static empty(raftId: RaftId): LogState {
    return new LogState({
      raftId,
      formation: null,
      hardState: { term: 0, vote: NO_ONE, commit: 0 },
      start: { index: 0, term: 0, configuration: NO_CONFIGURATION },
    })
  }

  get formation(): Formation | null {
    return this.#formation
  }

  /** What the log's records say. */
  get storedHardState(): HardState {
    return this.#hardState
  }

  /** The commit index is stored with later appends; a compacted entry was committed for certain. */
  get hardState(): HardState {
    const { term, vote, commit } = this.#hardState
    if (commit >= this.#start.index) return this.#hardState
    return { term, vote, commit: this.#start.index }
  }

  /** The point the log starts after. */
  get start(): SnapshotMeta {
    return this.#start
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  /** Where the log ends now. */
  get position(): Position {
    const index = this.#lastIndex
    return { index, term: this.#terms.term(index), configuration: this.configurationAt(index) }
  }

  term(index: number): number | null {
    if (index < this.#start.index || index > this.#lastIndex) return null
    return this.#terms.term(index)
  }

  configurationAt(index: number): Configuration {
    assert(index >= this.#start.index, `the configuration at ${index} was compacted away`)
    for (let at = this.#configurations.length - 1; at >= 0; at--) {
      const entry = this.#configurations[at]!
      if (entry.index <= index) return entry.configuration
    }
    return this.#start.configuration
  }

  form(formation: Formation): void {
    assert(this.#formation === null, 'this log has its formation already')
    assert(this.#lastIndex === 0, `formation after ${this.#lastIndex} entries`)
    this.#formation = formation
    this.#start = { index: 0, term: 0, configuration: formation.configuration }
  }

  append(request: AppendRequest): void {
    const { snapshot, entries, hardState } = request
    assert(this.#formation !== null, 'an append before the formation')
    if (snapshot !== null) this.#restart(snapshot)
    const first = entries[0]
    if (first !== undefined) {
      this.#overwrite(first.index)
      for (const entry of entries) this.#add(entry)
    }
    if (hardState !== null) this.#setHardState(hardState)
    const { commit } = this.#hardState
    assert(commit <= this.#lastIndex, `commit ${commit} is past the last index ${this.#lastIndex}`)
  }

  /** Moves the start up to `position`; later entries stay. */
  startAt(position: Position): void {
    assert(position.index >= this.#start.index, 'the start of a log never moves back')
    assert(position.index <= this.#lastIndex, 'the start of a log is never past its end')
    this.#terms.dropBefore(position.index)
    this.#configurations = this.#configurations.filter((entry) => entry.index > position.index)
    this.#start = position
  }

  #restart(snapshot: SnapshotMeta): void {
    const { term, vote, commit } = this.#hardState
    // Raft §7: a snapshot holds committed entries only, so what it replaces is older or in conflict.
    assert(snapshot.index >= commit, `snapshot ${snapshot.index} is before commit ${commit}`)
    this.#start = snapshot
    this.#lastIndex = snapshot.index
    this.#terms = new TermRuns(snapshot.index, snapshot.term)
    this.#configurations = []
    this.#hardState = { term, vote, commit: snapshot.index }
  }

  /** Raft §5.3: a conflicting entry and all that follow it are deleted, but never committed ones. */
  #overwrite(index: number): void {
    const { commit } = this.#hardState
    assert(index > commit, `entry ${index} would replace a committed one (commit ${commit})`)
    assert(index > this.#start.index, `entry ${index} was compacted away`)
    assert(index <= this.#lastIndex + 1, `entry ${index} leaves a hole after ${this.#lastIndex}`)
    if (index > this.#lastIndex) return
    this.#terms.dropFrom(index)
    while (this.#configurations.length > 0 && this.#configurations.at(-1)!.index >= index) {
      this.#configurations.pop()
    }
    this.#lastIndex = index - 1
  }

  #add(entry: Entry): void {
    assert(entry.index === this.#lastIndex + 1, `entry ${entry.index} after ${this.#lastIndex}`)
    assertSafeInteger(entry.term, 'term')
    this.#terms.append(entry.index, entry.term)
    if (entry.type === EntryType.configuration) {
      const configuration = decodeConfiguration(entry.data)
      this.#configurations.push({ index: entry.index, configuration })
    }
    this.#lastIndex = entry.index
  }

  #setHardState(next: HardState): void {
    const now = this.#hardState
    assertSafeInteger(next.term, 'term')
    assertSafeInteger(next.commit, 'commit')
    assert(next.vote === NO_ONE || RAFT_ID.test(next.vote), `vote for ${next.vote}`)
    assert(next.term >= now.term, `term falls from ${now.term} to ${next.term}`)
    assert(next.commit >= now.commit, `commit falls from ${now.commit} to ${next.commit}`)
    // Raft §5.2: at most one vote per term.
    assert(
      next.term > now.term || now.vote === NO_ONE || next.vote === now.vote,
      `a second vote in term ${next.term}: ${now.vote}, then ${next.vote}`,
    )
    this.#hardState = next
  }
}
