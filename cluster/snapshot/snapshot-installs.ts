import type { ApplyQueue } from '../apply-queue.ts'
import { assert } from '../assert.ts'
import type { ClusterMetrics } from '../cluster-metrics.ts'
import type { Failpoints } from '../failpoints.ts'
import type { LogStorage } from '../log/log-storage.ts'
import type { Logger } from '../logger.ts'
import type { Raft } from '../raft/raft.ts'
import type { StorageAppend } from '../raft/ready.ts'
import type { SnapshotMeta } from '../raft/types.ts'
import type { ReplicaEvents } from '../replica-events.ts'
import type { SnapshotSink } from '../state-machine.ts'

export interface SnapshotInstallsParts {
  readonly log: LogStorage
  readonly logger: Logger
  readonly failpoints: Failpoints
  readonly metrics: ClusterMetrics
  readonly events: Pick<ReplicaEvents, 'onApplied' | 'onSnapshotInstalled'>
  readonly raft: Raft
  readonly applies: ApplyQueue
  /** `append` is durable. */
  readonly persisted: (append: StorageAppend) => void
  /** The core may have something to do. */
  readonly look: () => void
  /** Final: the node must stop. */
  readonly onError: (error: Error) => void
}

/** How a received snapshot takes the place of a replica's state (rule K6); one at a time. */
export class SnapshotInstalls {
  readonly #parts: SnapshotInstallsParts
  #received: { readonly meta: SnapshotMeta; readonly sink: SnapshotSink } | null = null
  /** A snapshot is taking over: until it has, another one is of no use. */
  #installing = false
  /** Snapshots whose files are being removed. */
  #dropping = 0

  constructor(parts: SnapshotInstallsParts) {
    this.#parts = parts
  }

  /** False while one that was received takes over or is thrown away. */
  get hasRoom(): boolean {
    return !this.#installing && this.#received === null && this.#dropping === 0
  }

  /** Keeps a verified snapshot until the core decides; says whether there was room for it. */
  received(meta: SnapshotMeta, sink: SnapshotSink): boolean {
    if (!this.hasRoom) {
      this.#drop(sink)
      return false
    }
    this.#received = { meta, sink }
    return true
  }

  /** State first (pointer renamed and synced), then the record in the log. */
  install(append: StorageAppend, meta: SnapshotMeta): void {
    const received = this.#received
    assert(received?.meta.index === meta.index, 'the core installs what was received')
    this.#received = null
    const { applies, failpoints, log, logger, metrics, onError, persisted, raft } = this.#parts
    this.#installing = true
    const work = async () => {
      await applies.pause()
      await received.sink.activate()
      failpoints.hit('snapshot.activated')
      await new Promise<void>((resolve, reject) => {
        const { hardState, entries } = append
        log.append({ hardState, entries, snapshot: meta }, (error) =>
          error === null ? resolve() : reject(error),
        )
      })
      metrics.snapshots.installed.add()
      logger.info('snapshot.installed', { index: meta.index, term: meta.term })
      failpoints.hit('snapshot.noted')
      persisted(append)
      raft.applied(meta.index)
      this.#tookOver(meta)
    }
    work().catch(onError)
  }

  /** The log already holds what the snapshot stands for: only the state is replaced. */
  recoverState(meta: SnapshotMeta, sink: SnapshotSink): void {
    if (!this.hasRoom) {
      this.#drop(sink)
      return
    }
    const { applies, logger, metrics, onError, raft } = this.#parts
    this.#installing = true
    const work = async () => {
      await applies.pause()
      await sink.activate()
      metrics.snapshots.installed.add()
      logger.info('state.recovered', { index: meta.index, term: meta.term })
      raft.stateInstalled(meta)
      this.#tookOver(meta)
    }
    work().catch(onError)
  }

  /** The core had no use for what was received: nothing of it may stay. */
  dropUnless(pending: SnapshotMeta | null): void {
    const received = this.#received
    if (received === null || pending?.index === received.meta.index) return
    this.#received = null
    this.#drop(received.sink)
  }

  #tookOver({ index }: SnapshotMeta): void {
    const { applies, events, look } = this.#parts
    events.onApplied(index)
    events.onSnapshotInstalled(index)
    this.#installing = false
    applies.resume(index)
    look()
  }

  #drop(sink: SnapshotSink): void {
    this.#dropping += 1
    sink.abort().then(() => (this.#dropping -= 1), this.#parts.onError)
  }
}
