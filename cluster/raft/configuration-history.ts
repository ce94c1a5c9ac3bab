import { assert } from '../assert.ts'
import { decodeConfiguration, isVoter, type Configuration } from './configuration.ts'
import { EntryType, type Entry, type RaftId } from './types.ts'

interface Change {
  readonly index: number
  readonly configuration: Configuration
}

/**
 * The configurations that the log holds from the last committed one on. The newest is in force from
 * the moment it is appended, committed or not (thesis §4.1); cutting it off the log puts the one
 * before it in force again.
 */
export class ConfigurationHistory {
  #changes: Change[]

  /** `configuration` is committed; its entry is at or below `index`. */
  constructor(index: number, configuration: Configuration) {
    this.#changes = [{ index, configuration }]
  }

  get current(): Configuration {
    return this.#newest.configuration
  }

  get committed(): Configuration {
    return this.#changes[0]!.configuration
  }

  /** Index at or above the entry that holds `current`. */
  get currentIndex(): number {
    return this.#newest.index
  }

  /**
   * Whether the replica votes in the committed configuration or one after it. As long as its removal
   * is not committed it may have to lead once more: it can be the only one whose log is long enough
   * (thesis §4.2.2).
   */
  mayLead(id: RaftId): boolean {
    return this.#changes.some(({ configuration }) => isVoter(configuration, id))
  }

  /** Takes the changes among entries that were just appended. True if there was one. */
  append(entries: readonly Entry[]): boolean {
    let changed = false
    for (const entry of entries) {
      if (entry.type !== EntryType.configuration) continue
      assert(entry.index > this.currentIndex, 'a configuration arrived out of order')
      this.#changes.push({ index: entry.index, configuration: decodeConfiguration(entry.data) })
      changed = true
    }
    return changed
  }

  /** The log was cut from `index` on. True if another configuration is in force now. */
  truncateFrom(index: number): boolean {
    const length = this.#changes.length
    while (this.#newest.index >= index) {
      assert(this.#changes.length > 1, 'a committed configuration was cut off')
      this.#changes.pop()
    }
    return this.#changes.length < length
  }

  /** What came before the newest committed change can no longer come back. */
  committedTo(index: number): void {
    while (this.#changes.length > 1 && this.#changes[1]!.index <= index) this.#changes.shift()
  }

  restore(index: number, configuration: Configuration): void {
    this.#changes = [{ index, configuration }]
  }

  get #newest(): Change {
    return this.#changes[this.#changes.length - 1]!
  }
}
