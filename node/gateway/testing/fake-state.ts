import { DEFAULT_SETTINGS, type Settings } from '../../state-machine/settings.ts'
import type {
  ConversationEvent,
  ConversationView,
  EventPage,
  StateReader,
} from '../../state-machine/types.ts'

/** An applied state that says what it is told. */
export class FakeState implements StateReader {
  appliedIndex = 10
  logTime = 5_000
  stateHash = 'hash'
  conversations = new Map<string, ConversationView>()
  events = new Map<string, ConversationEvent[]>()
  /** Set to have every read fail. */
  failure: Error | null = null
  gap: EventPage['gap'] = null
  /** Users that never were members of anything. */
  readonly strangers = new Set<string>()
  settings: Settings = DEFAULT_SETTINGS
  /** By user, for every device. */
  readonly revoked = new Map<string, number>()

  async conversation(id: string): Promise<ConversationView | null> {
    if (this.failure !== null) throw this.failure
    return this.conversations.get(id) ?? null
  }

  async isMember(id: string, user: string): Promise<boolean> {
    return this.conversations.get(id)?.members.some((member) => member.user === user) ?? false
  }

  async wasMember(_id: string, user: string): Promise<boolean> {
    return !this.strangers.has(user)
  }

  async revokedBefore(user: string): Promise<number> {
    if (this.failure !== null) throw this.failure
    return this.revoked.get(user) ?? 0
  }

  async conversationsOf(user: string, limit: number): Promise<ConversationView[]> {
    return [...this.conversations.values()]
      .filter((view) => view.members.some((member) => member.user === user))
      .slice(0, limit)
  }

  async eventsAfter(id: string, _: string, after: number, limit: number) {
    if (this.failure !== null) throw this.failure
    const all = this.events.get(id)
    if (all === undefined) return null
    const rest = all.filter((event) => event.seq > after)
    return this.#page(rest.slice(0, limit), rest.length > limit, after)
  }

  async eventsBefore(id: string, _: string, before: number, limit: number) {
    const all = this.events.get(id)
    if (all === undefined) return null
    const rest = all.filter((event) => event.seq < before)
    const events = rest.slice(-limit)
    const hasMore = rest.length > limit
    return { events, next: events[0]?.seq ?? before, upTo: before - 1, hasMore, gap: this.gap }
  }

  #page(events: ConversationEvent[], hasMore: boolean, after: number): EventPage {
    const next = events.at(-1)?.seq ?? after
    return { events, next, upTo: next, hasMore, gap: this.gap }
  }
}
