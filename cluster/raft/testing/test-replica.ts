import { assert } from '../../assert.ts'
import type { Configuration, Member } from '../configuration.ts'
import type { Message } from '../messages.ts'
import type { RaftOptions } from '../options.ts'
import { Raft } from '../raft.ts'
import type { ReadState, Ready, StorageAppend } from '../ready.ts'
import type { Entry, RaftId, SnapshotMeta } from '../types.ts'
import { TestLog } from './test-log.ts'

export type TestOptions = Partial<Omit<RaftOptions, 'id' | 'log' | 'hardState' | 'configuration'>>

/** `1` is `0000000000000001`. */
export function idOf(number: number): RaftId {
  return number.toString(16).padStart(16, '0')
}

export function numberOf(id: RaftId): number {
  return Number.parseInt(id, 16)
}

export function member(number: number): Member {
  return {
    id: idOf(number),
    name: `n${number}`,
    peerAddress: `127.0.0.1:${7500 + number}`,
    clientUrl: `http://127.0.0.1:${7400 + number}`,
  }
}

export function configurationOf(
  voters: readonly number[],
  learners: readonly number[] = [],
): Configuration {
  return { voters: voters.map(member), outgoing: [], learners: learners.map(member) }
}

/** One replica with its disk and state machine: the host reduced to what the core needs of it. */
export class TestReplica {
  readonly id: RaftId
  readonly log: TestLog
  readonly options: TestOptions
  raft: Raft
  /** The write under way. */
  writing: StorageAppend | null = null
  /** Everything applied since the last snapshot or start. */
  applied: Entry[] = []
  reads: ReadState[] = []
  /** What the state machine has durably. */
  checkpoint = 0

  constructor(number: number, configuration: Configuration, options: TestOptions = {}) {
    this.id = idOf(number)
    this.log = new TestLog(configuration)
    this.options = options
    this.raft = this.#boot()
  }

  /** Takes a ready, applies at once, keeps the append for `persist`. */
  ready(): Ready {
    const ready = this.raft.ready()
    if (ready.append !== null) {
      assert(this.writing === null, 'two appends at once')
      this.writing = ready.append
    }
    for (const entry of ready.committed) {
      this.applied.push(entry)
      this.raft.applied(entry.index)
    }
    this.reads.push(...ready.reads)
    return ready
  }

  /** Completes the write under way and returns what may leave now. */
  persist(): readonly Message[] {
    const append = this.writing
    if (append === null) return []
    this.writing = null
    this.#write(append)
    this.raft.persisted(append.ticket)
    return append.responses
  }

  /** Power cut: of the write under way all or nothing is on the disk, and nothing of it was said. */
  restart(options: { keepWrite: boolean }): void {
    if (options.keepWrite && this.writing !== null) this.#write(this.writing)
    this.writing = null
    this.applied = []
    this.reads = []
    this.raft = this.#boot()
  }

  /** What a stream of this replica's state would be named. */
  snapshotHere(): SnapshotMeta {
    const index = this.raft.status().applied
    const term = this.log.term(index)
    assert(term !== null, 'the applied entry is gone')
    return { index, term, configuration: this.log.configurationAt(index) }
  }

  #write(append: StorageAppend): void {
    this.log.write(append)
    if (append.snapshot !== null) {
      this.checkpoint = append.snapshot.index
      this.applied = []
    }
  }

  #boot(): Raft {
    const { log } = this
    return new Raft({
      random: () => numberOf(this.id) - 1,
      ...this.options,
      id: this.id,
      log,
      hardState: log.hardState,
      configuration: log.configurationAt(log.hardState.commit),
      applied: Math.max(this.checkpoint, log.snapshot.index),
    })
  }
}
