import { assert } from './assert.ts'
import type { AppendRequest, LogStorage } from './log/log-storage.ts'
import type { StorageAppend } from './raft/ready.ts'
import type { Entry } from './raft/types.ts'

/**
 * Group commit: while one write and fdatasync is under way, further appends queue up and then go
 * to disk as one batch. Never two in flight, so a durable batch proves all before it (rule K2).
 */
export class AppendQueue {
  readonly #log: LogStorage
  readonly #onPersisted: (appends: readonly StorageAppend[]) => void
  readonly #onError: (error: Error) => void
  #waiting: StorageAppend[] = []
  #writing = false
  #held = false
  #onIdle: () => void = () => {}

  constructor(
    log: LogStorage,
    onPersisted: (appends: readonly StorageAppend[]) => void,
    onError: (error: Error) => void,
  ) {
    this.#log = log
    this.#onPersisted = onPersisted
    this.#onError = onError
  }

  /** Writes what was pushed before, then nothing until `release`. Resolves when the disk is idle. */
  hold(): Promise<void> {
    assert(!this.#held, 'appends are held already')
    this.flush()
    return new Promise((resolve) => {
      this.#onIdle = () => {
        this.#held = true
        this.#onIdle = () => {}
        resolve()
      }
      if (!this.#writing) this.#onIdle()
    })
  }

  release(): void {
    this.#held = false
    this.flush()
  }

  push(append: StorageAppend): void {
    assert(append.snapshot === null, 'a snapshot goes through its own installation')
    this.#waiting.push(append)
  }

  /** Starts a write if none is under way. `onPersisted` may be called before this returns. */
  flush(): void {
    while (!this.#writing && !this.#held && this.#waiting.length > 0) {
      const appends = this.#waiting
      this.#waiting = []
      this.#writing = true
      this.#log.append(merge(appends), (error) => {
        this.#writing = false
        if (error !== null) {
          this.#onError(error)
          return
        }
        this.#onPersisted(appends)
        this.flush()
      })
    }
    if (!this.#writing && this.#waiting.length === 0) this.#onIdle()
  }
}

/** A later append may replace the tail of an earlier one: only what survives is written. */
function merge(appends: readonly StorageAppend[]): AppendRequest {
  let hardState: AppendRequest['hardState'] = null
  let entries: Entry[] = []
  for (const append of appends) {
    hardState = append.hardState ?? hardState
    const first = append.entries[0]
    if (first === undefined) continue
    const last = entries.at(-1)
    if (last !== undefined && first.index <= last.index) {
      entries = entries.filter((entry) => entry.index < first.index)
    }
    entries.push(...append.entries)
  }
  return { hardState, entries, snapshot: null }
}
