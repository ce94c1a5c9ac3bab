import {
  type Clock,
  CounterCell,
  counterCells,
  decodeConfiguration,
  type LogStorage,
} from '#cluster'
import { encodeSnapshot } from '../state-machine/snapshot-codec.ts'
import { StateHash } from '../state-machine/state-hash.ts'
import type { PacerOptions } from '../store/slice-pacer.ts'
import type { Store, StoreSnapshot } from '../store/store.ts'
import { encodeBackup } from './backup-codec.ts'
import type { BackupManifest } from './backup-manifest.ts'
import { pacedPairs } from './paced-pairs.ts'
import { pinnedState } from './pinned-state.ts'

export interface BackupsHost {
  readonly clock: Clock
  readonly log: LogStorage
  readonly node: string
  readonly version: string
  /** The store in force. */
  store(): Store | null
  /** Resolves when a cut at or past what is applied now is durable. */
  checkpoint(): Promise<void>
  readonly pacing?: PacerOptions
}

/** A backup that a caller takes: its bytes once, and `close` whatever became of them. */
export interface OpenBackup {
  readonly manifest: BackupManifest
  readonly chunks: AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/**
 * Gives out backups of this node's state: a pinned cut (rule K6), never live memory, read in slices
 * while the node goes on. One at a time: each keeps on disk what later cuts overwrite.
 */
export class Backups {
  readonly #host: BackupsHost
  #running = false
  readonly ended = counterCells('complete', 'cutOff', 'failed')
  readonly bytes = new CounterCell()

  constructor(host: BackupsHost) {
    this.#host = host
  }

  get running(): boolean {
    return this.#running
  }

  /**
   * Pins a cut that holds everything this node has applied at the call; `null` while another backup is
   * being read. Rejects if the store cannot write or read it.
   */
  async open(): Promise<OpenBackup | null> {
    if (this.#running) return null
    this.#running = true
    let snapshot: StoreSnapshot | null = null
    try {
      const takenAtMs = Math.floor(this.#host.clock.wallMs())
      await this.#host.checkpoint()
      const store = this.#host.store()
      if (store === null) throw new Error('this node has thrown its store away')
      snapshot = await store.snapshot()
      return this.#opened(await this.#manifest(snapshot, takenAtMs), snapshot)
    } catch (error) {
      this.#running = false
      this.ended.failed.add()
      await snapshot?.close()
      throw error
    }
  }

  async #manifest(snapshot: StoreSnapshot, takenAtMs: number): Promise<BackupManifest> {
    const { log, node, version } = this.#host
    const { formation } = log
    if (formation === null) throw new Error('this node is part of no cluster yet')
    const record = await pinnedState(snapshot)
    const { index, term } = snapshot.cut
    return {
      clusterId: formation.clusterId,
      epoch: formation.epoch,
      index,
      term,
      logTimeMs: record.logTime,
      takenAtMs,
      stateHash: String(new StateHash(record.hash)),
      node,
      version,
      conversations: record.conversations,
      users: record.users,
      configuration:
        record.configuration.length === 0
          ? formation.configuration
          : decodeConfiguration(record.configuration),
    }
  }

  #opened(manifest: BackupManifest, snapshot: StoreSnapshot): OpenBackup {
    const { clock, pacing } = this.#host
    const pairs = pacedPairs(snapshot.pairs(), clock, pacing)
    const chunks = encodeBackup(manifest, encodeSnapshot(snapshot.cut, pairs))
    const outcome = { is: 'cutOff' as 'complete' | 'cutOff' | 'failed' }
    let isOpen = true
    return {
      manifest,
      chunks: this.#counted(chunks, outcome),
      close: async () => {
        if (!isOpen) return
        isOpen = false
        this.ended[outcome.is].add()
        // A walk that stands at a pair ends here; one under way ends by the closing of the snapshot.
        await snapshot.close()
        this.#running = false
      },
    }
  }

  async *#counted(
    chunks: AsyncIterable<Uint8Array>,
    outcome: { is: 'complete' | 'cutOff' | 'failed' },
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        this.bytes.add(chunk.length)
        yield chunk
      }
      outcome.is = 'complete'
    } catch (error) {
      outcome.is = 'failed'
      throw error
    }
  }
}
