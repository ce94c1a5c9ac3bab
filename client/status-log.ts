import type { ConnectionStatus } from './connection.ts'

/** Statuses for any number of readers; one that falls behind misses the oldest, not the newest. */
export class StatusLog {
  readonly #readers = new Set<Reader>()
  #current: ConnectionStatus

  constructor(first: ConnectionStatus) {
    this.#current = first
  }

  add(status: ConnectionStatus): void {
    this.#current = status
    for (const reader of this.#readers) {
      if (reader.statuses.push(status) > MAX_BEHIND) reader.statuses.splice(0, 1)
      reader.wake()
    }
  }

  /** Begins with the present status, ends after `closed`. */
  read(): AsyncIterableIterator<ConnectionStatus> {
    const reader: Reader = { statuses: [this.#current], wake: () => {} }
    this.#readers.add(reader)
    return this.#iterate(reader)
  }

  async *#iterate(reader: Reader): AsyncGenerator<ConnectionStatus, void, undefined> {
    try {
      for (;;) {
        for (const status of reader.statuses.splice(0)) {
          yield status
          if (status.state === 'closed') return
        }
        if (reader.statuses.length > 0) continue
        await new Promise<void>((resolve) => {
          reader.wake = resolve
        })
      }
    } finally {
      this.#readers.delete(reader)
    }
  }
}

interface Reader {
  readonly statuses: ConnectionStatus[]
  wake: () => void
}

const MAX_BEHIND = 64
