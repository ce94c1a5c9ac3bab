import type { InboxPosition, StateReader } from '../state-machine/types.ts'
import { type DeviceLag, MOST_ROWS, type Survey, type UserLag } from './survey.ts'
import { TopList } from './top-list.ts'

/** Users looked at in one go: less than a millisecond. */
const PAGE_USERS = 64

export type InboxState = Pick<
  StateReader,
  'userCount' | 'newcomers' | 'inboxPositions' | 'inboxPositionsOf'
>

/**
 * The inboxes of all users against what their devices have acknowledged, of those that were heard of
 * since a log time in ms, `null`: of all. First who came since the newest checkpoint, so that nobody
 * who is written meanwhile is missed, then everybody that the store holds.
 */
export class InboxSurvey implements Survey {
  readonly users = new TopList<UserLag>(MOST_ROWS, ({ user }) => user)
  readonly devices = new TopList<DeviceLag>(MOST_ROWS, ({ user, device }) => `${user} ${device}`)
  readonly #state: InboxState
  readonly #seenSince: number | null
  #newcomers: Iterator<string> | null
  /** `null` before the first page of the store, and after the last one. */
  #after: string | null = null
  #isDone = false
  #looked = 0

  constructor(state: InboxState, seenSince: number | null) {
    this.#state = state
    this.#seenSince = seenSince
    this.#newcomers = state.newcomers()[Symbol.iterator]()
  }

  get total(): number {
    return this.#state.userCount
  }

  get looked(): number {
    return this.#isDone ? this.total : Math.min(this.#looked, this.total)
  }

  async step(): Promise<boolean> {
    if (this.#isDone) return false
    const names = this.#nextNewcomers()
    if (names.length > 0) {
      for (const position of await this.#state.inboxPositionsOf(names)) this.#offer(position)
      return true
    }
    const { positions, next } = await this.#state.inboxPositions(this.#after, PAGE_USERS)
    for (const position of positions) this.#offer(position)
    this.#looked += positions.length
    this.#after = next
    this.#isDone = next === null
    return !this.#isDone
  }

  #nextNewcomers(): readonly string[] {
    const names = new Set<string>()
    for (let i = 0; i < PAGE_USERS && this.#newcomers !== null; i += 1) {
      const { value, done } = this.#newcomers.next()
      if (done === true) this.#newcomers = null
      else names.add(value)
    }
    return [...names]
  }

  #offer({ user, head, devices }: InboxPosition): void {
    const since = this.#seenSince
    const known = since === null ? devices : devices.filter(({ seen }) => seen >= since)
    for (const { device, inbox, seen } of known) {
      this.devices.offer({ user, device, behind: head - inbox, head, inbox, seen })
    }
    if (known.length === 0 && since !== null) return
    const inbox = known.reduce((newest, one) => Math.max(newest, one.inbox), 0)
    // The latest is the last of all.
    const seen = known.at(-1)?.seen ?? null
    const row = { user, behind: head - inbox, head, inbox, devices: known.length, seen }
    this.users.offer(row)
  }
}
