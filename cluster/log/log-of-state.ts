import type { Configuration } from '../raft/configuration.ts'
import type { HardState, RaftId, SnapshotMeta } from '../raft/types.ts'
import type { LogState } from './log-state.ts'
import type { Formation } from './log-storage.ts'

/** What a log answers from its state alone, wherever it keeps its entries. */
export abstract class LogOfState {
  protected readonly state: LogState

  protected constructor(state: LogState) {
    this.state = state
  }

  get raftId(): RaftId {
    return this.state.raftId
  }

  get formation(): Formation | null {
    return this.state.formation
  }

  get hardState(): HardState {
    return this.state.hardState
  }

  get snapshot(): SnapshotMeta {
    return this.state.start
  }

  firstIndex(): number {
    return this.state.start.index + 1
  }

  lastIndex(): number {
    return this.state.lastIndex
  }

  term(index: number): number | null {
    return this.state.term(index)
  }

  configurationAt(index: number): Configuration {
    return this.state.configurationAt(index)
  }
}
