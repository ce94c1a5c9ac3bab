import type { StoredEvent } from './stored-event.ts'
import type { Verdict } from './verdict.ts'

/**
 * What prefetch read from the store for one entry, so that apply need not wait (rule K4). Emptied
 * once the entry is applied.
 */
export class ColdObjects {
  readonly #events = new Map<string, StoredEvent>()
  readonly #verdicts = new Map<number, Verdict>()
  /** Events that retention erased: older than the window of results. */
  readonly #erased = new Set<string>()
  /** Ids that the store was asked for and does not hold. */
  readonly #absent = new Set<string>()
  /** Users whose inbox it does not hold. */
  readonly #absentUsers = new Set<string>()

  clear(): void {
    if (this.#events.size > 0) this.#events.clear()
    if (this.#verdicts.size > 0) this.#verdicts.clear()
    if (this.#erased.size > 0) this.#erased.clear()
    if (this.#absent.size > 0) this.#absent.clear()
    if (this.#absentUsers.size > 0) this.#absentUsers.clear()
  }

  event(conversation: string, seq: number): StoredEvent | undefined {
    return this.#events.get(eventName(conversation, seq))
  }

  addEvent(conversation: string, event: StoredEvent): void {
    this.#events.set(eventName(conversation, event.seq), event)
  }

  verdict(number: number): Verdict | undefined {
    return this.#verdicts.get(number)
  }

  addVerdict(verdict: Verdict): void {
    this.#verdicts.set(verdict.number, verdict)
  }

  isErased(conversation: string, seq: number): boolean {
    return this.#erased.has(eventName(conversation, seq))
  }

  addErased(conversation: string, seq: number): void {
    this.#erased.add(eventName(conversation, seq))
  }

  isAbsent(conversation: string): boolean {
    return this.#absent.has(conversation)
  }

  addAbsent(conversation: string): void {
    this.#absent.add(conversation)
  }

  isAbsentUser(user: string): boolean {
    return this.#absentUsers.has(user)
  }

  addAbsentUser(user: string): void {
    this.#absentUsers.add(user)
  }
}

function eventName(conversation: string, seq: number): string {
  return `${seq}:${conversation}`
}
