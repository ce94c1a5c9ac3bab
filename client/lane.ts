import type { Timer } from './ports.ts'
import type { Write } from './write.ts'

/**
 * The unsettled writes to one conversation, oldest first. They go out in this order, several at a
 * time, each naming the one before it (rule A4): whatever is lost on the way, the log takes them in
 * this order or asks for them again.
 */
export class Lane {
  readonly key: string
  readonly writes: Write[] = []
  /**
   * Counts how often everything was sent anew. A retryable refusal of an earlier round says
   * nothing about the present one; without this, one lost frame would make a whole window be
   * resent once per refusal.
   */
  round = 0
  /** Rounds in a row that settled nothing. */
  failures = 0
  /** Nothing goes out until it fires. */
  pause: Timer | null = null
  /** Nothing goes out until someone lifts it: the history is being searched (rule A3). */
  isHeld = false

  constructor(key: string) {
    this.key = key
  }

  get isPaused(): boolean {
    return this.pause !== null || this.isHeld
  }

  /** msgId of the write before this one that has no final answer. */
  previous(index: number): string | undefined {
    return index === 0 ? undefined : this.writes[index - 1]!.draft.msgId
  }

  remove(write: Write): boolean {
    const index = this.writes.indexOf(write)
    if (index === -1) return false
    this.writes.splice(index, 1)
    return true
  }

  resume(): void {
    this.pause?.cancel()
    this.pause = null
  }
}
