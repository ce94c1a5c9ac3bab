import type { Failpoints } from './failpoints.ts'
import { forgettableIndex } from './log-retention.ts'
import type { LogStorage } from './log/log-storage.ts'
import type { Raft } from './raft/raft.ts'
import type { ReplicaEvents } from './replica-events.ts'
import type { ReplicaOptions } from './replica-options.ts'
import type { StateMachine } from './state-machine.ts'

export interface LogCompactorParts {
  readonly options: Pick<ReplicaOptions, 'trailingLogBytes'>
  readonly log: LogStorage
  readonly stateMachine: StateMachine
  readonly failpoints: Failpoints
  readonly raft: Raft
  readonly events: Pick<ReplicaEvents, 'pinnedSnapshot'>
  readonly onError: (error: Error) => void
}

/**
 * Forgets the log before the cut before the last one, unless others still need it (rule K3). Looks
 * once per tick: what is kept changes slowly, turns are many.
 */
export class LogCompactor {
  readonly #parts: LogCompactorParts
  #compactedTo = 0
  #compacting = false
  #due = true

  constructor(parts: LogCompactorParts) {
    this.#parts = parts
  }

  tick(): void {
    this.#due = true
  }

  run(): void {
    if (!this.#due || this.#compacting) return
    this.#due = false
    const { log, stateMachine, options, events, raft, failpoints, onError } = this.#parts
    const firstIndex = log.firstIndex()
    const index = forgettableIndex({
      compactable: stateMachine.compactableIndex,
      firstIndex,
      logBytes: log.size().bytes,
      trailingBytes: options.trailingLogBytes,
      pinned: events.pinnedSnapshot(),
      peers: raft.status().progress,
      self: log.raftId,
    })
    if (index <= this.#compactedTo || index < firstIndex) return
    const term = log.term(index)
    if (term === null) return
    this.#compacting = true
    this.#compactedTo = index
    failpoints.hit('checkpoint.logKept')
    const configuration = log.configurationAt(index)
    log
      .compact({ index, term, configuration })
      .then(() => (this.#compacting = false))
      .catch(onError)
  }
}
