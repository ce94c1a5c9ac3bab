import { wireError } from '../protocol/error-codes.ts'
import type {
  PingAnswer,
  PingRequest,
  ServerFrame,
  SyncAnswer,
  SyncRequest,
  WireEvent,
} from '../protocol/frames.ts'
import type { FakeSession } from './fake-cluster.ts'

interface Entry {
  readonly conv: string
  readonly event: WireEvent
}

/** What an inbox looks up in the cluster around it. */
interface Conversations {
  ofUser(user: string): readonly { readonly id: string; readonly events: readonly WireEvent[] }[]
}

/** The users' inboxes of a fake cluster, and what each session was written of its own (B3, B4). */
export class FakeInbox {
  readonly #conversations: Conversations
  readonly #entries = new Map<string, Entry[]>()
  /** Last number written to a session. */
  readonly #positions = new Map<FakeSession, number>()
  /** Sessions that were told which conversations changed. */
  readonly #synced = new Set<FakeSession>()
  /** What the next first page of a session tells of receipts. */
  statuses: SyncAnswer['statuses'] = []
  /** Conversations that take no numbers. */
  readonly large = new Set<string>()
  /** Numbers up to which inboxes were cut off. */
  gapUpTo = 0
  /** A cluster that still counts has `null` for nobody. */
  readonly exhausted = new Set<string>()

  constructor(conversations: Conversations) {
    this.#conversations = conversations
  }

  /** Entries of later events are gone. */
  restore(upTo: number): void {
    for (const [user, entries] of this.#entries) {
      this.#entries.set(
        user,
        entries.filter(({ event }) => event.seq <= upTo),
      )
    }
  }

  head(user: string): number | null {
    return this.exhausted.has(user) ? null : this.#of(user).length
  }

  greet(session: FakeSession): void {
    this.#positions.set(session, session.hello?.resume?.inbox ?? 0)
    this.#synced.delete(session)
  }

  /** The event's number for a member. */
  add(user: string, conv: string, event: WireEvent): number | null {
    if (this.large.has(conv) || this.exhausted.has(user)) return null
    return this.#of(user).push({ conv, event })
  }

  /** Whether a session may be pushed the event itself; it moves on by that. */
  passes(session: FakeSession, inbox: number | null): boolean {
    if (inbox === null) return true
    if (this.#positions.get(session) !== inbox - 1) return false
    this.#positions.set(session, inbox)
    return true
  }

  sync(session: FakeSession, frame: SyncRequest): ServerFrame {
    const { id, after, limit } = frame
    const entries = this.#of(session.user)
    const head = this.head(session.user)
    if (head === null) return { t: 'sync:A', id, error: wireError('SEQ_EXHAUSTED', 'none left') }
    if (after > head) return { t: 'sync:A', id, error: wireError('BEHIND', 'not that far') }
    const from = Math.max(after, Math.min(this.gapUpTo, head))
    const events = entries.slice(from, from + limit).map(({ conv, event }, at) => {
      return { ...event, conv, inbox: from + at + 1 }
    })
    const next = from + events.length
    this.#positions.set(session, next)
    return {
      ...{ t: 'sync:A', id, events, statuses: this.statuses },
      conversations: this.#changed(session, frame),
      ...{ next, upTo: head, hasMore: next < head },
      gap: from > after ? { from: after + 1, to: from, reason: 'retention' } : null,
    }
  }

  ping(session: FakeSession, frame: PingRequest, now: number): PingAnswer {
    const heads = this.#conversations
      .ofUser(session.user)
      .filter(({ id, events }) => this.large.has(id) && events.length > 0)
      .map(({ id, events }) => ({ conv: id, seq: events.length }))
    return { t: 'ping:A', id: frame.id, inbox: this.head(session.user), heads, now }
  }

  #changed(session: FakeSession, { after, positions }: SyncRequest) {
    if (this.#synced.has(session)) return []
    this.#synced.add(session)
    const fresh = this.#of(session.user).slice(after)
    const known = new Map(positions?.map(({ conv, seq }) => [conv, seq]))
    return this.#conversations
      .ofUser(session.user)
      .filter(({ id, events }) =>
        positions === undefined
          ? this.large.has(id) || fresh.some(({ conv }) => conv === id)
          : events.length > (known.get(id) ?? 0),
      )
      .map(({ id, events }) => {
        const unread = events.filter(({ from }) => from !== session.user).length
        return { conv: id, head: events.length, unread, at: events.at(-1)?.at ?? 0 }
      })
      .toSorted((one, other) => other.at - one.at)
      .map(({ conv, head, unread }) => ({ conv, head, unread }))
  }

  #of(user: string): Entry[] {
    const entries = this.#entries.get(user) ?? []
    this.#entries.set(user, entries)
    return entries
  }
}
