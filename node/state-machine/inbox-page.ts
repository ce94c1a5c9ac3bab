import { assert } from '#cluster'
import { StoreDamagedError } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { ByteReader } from './byte-reader.ts'
import { conversationsFor } from './conversation-list.ts'
import type { Conversation } from './conversation-state.ts'
import { readPage } from './event-page.ts'
import { INBOX_PAGE, type InboxEntry, readEntries } from './inbox-runs.ts'
import { inboxPageKey, userRange } from './keys.ts'
import type { ConversationEvent, InboxEvent, InboxPage } from './types.ts'
import { LAST_INBOX, type UserInbox } from './user-inbox.ts'

/** Entries whose events are read together, so that a page overshoots its bound of bytes by little. */
const TOGETHER = 64
/** Entries without their events that are read together. */
const REACH_TOGETHER = 4_096
/** What an event weighs in a page beside its body. */
const EVENT_BYTES = 128

/**
 * One page of the user's inbox (rule B3): first which events, as of now, then the events as they are
 * when each is read (rule B1). Complete or an error: numbers have no holes, so absence is proven.
 */
export async function readInbox(
  state: ApplicationState,
  user: string,
  after: number,
  limit: number,
): Promise<InboxPage> {
  assert(Number.isInteger(limit) && limit > 0, `an inbox page of ${limit} entries`)
  for (;;) {
    const inbox = await userInbox(state, user)
    const upTo = Math.min(inbox.head, LAST_INBOX)
    const start = Math.max(0, after)
    const kept = inbox.firstPage * INBOX_PAGE
    const from = Math.max(start, kept) + 1
    const gap = start < kept ? { from: start + 1, to: kept, reason: 'retention' as const } : null
    if (from > upTo) return { entries: [], next: after, upTo, hasMore: false, gap: null }
    const to = Math.min(upTo, from + limit - 1)
    const found = await entriesOf(state, inbox, from, to)
    // Retention dropped a page while it was read: what is kept begins later now.
    if (found === null) continue
    const entries = await eventsOf(state, user, from, found)
    const next = entries.at(-1)!.inbox
    return { entries, next, upTo, hasMore: next < upTo, gap }
  }
}

/**
 * The newest event of each conversation among the entries above the device's cursor and up to `upTo`.
 * Of entries that are kept no more nothing is said.
 */
export async function readInboxReach(
  state: ApplicationState,
  user: string,
  device: string,
  upTo: number,
): Promise<{ conv: string; seq: number }[]> {
  const newest = new Map<number, number>()
  const first = await userInbox(state, user)
  const cursor = first.devices.find((each) => each.device === device)?.inbox ?? 0
  for (let after = cursor; ;) {
    const inbox = await userInbox(state, user)
    const from = Math.max(after, inbox.firstPage * INBOX_PAGE) + 1
    const to = Math.min(upTo, inbox.head, LAST_INBOX, from + REACH_TOGETHER - 1)
    if (from > to) break
    const entries = await entriesOf(state, inbox, from, to)
    // Retention dropped a page while it was read: what is kept begins later now.
    if (entries === null) continue
    for (const { conversation, seq } of entries) newest.set(conversation, seq)
    after = to
  }
  const ids = await state.numbers.ids([...newest.keys()])
  return [...newest.values()].map((seq, i) => ({ conv: ids[i]!, seq }))
}

/** The user's inbox as it is now; of somebody without conversations an empty one. */
export async function userInbox(state: ApplicationState, user: string): Promise<UserInbox> {
  const inbox = await state.users.inboxes.read(user)
  if (inbox.exists || state.users.allInMemory) return inbox
  const { from, to } = userRange(user)
  for await (const _ of state.store.range(from, to, { limit: 1 })) {
    // It may have come since it was looked for.
    const again = await state.users.inboxes.read(user)
    if (again.exists) return again
    throw new StoreDamagedError(`the inbox of ${user} is missing from the store`)
  }
  return inbox
}

/** The entries `from` … `to`; `null` if some of them are kept no more. */
async function entriesOf(
  state: ApplicationState,
  inbox: UserInbox,
  from: number,
  to: number,
): Promise<InboxEntry[] | null> {
  const { id: user, openPage } = inbox
  const { pages } = state.users
  const firstPage = Math.floor((from - 1) / INBOX_PAGE)
  const count = Math.floor((to - 1) / INBOX_PAGE) - firstPage + 1
  // What memory holds first, all at once (rule K4).
  const open = firstPage + count > openPage ? inbox.openEntries() : []
  const bytes = Array.from({ length: count }, (_, i) =>
    firstPage + i === openPage ? null : (pages.unwritten(user, firstPage + i) ?? null),
  )
  const cold = bytes.flatMap((each, i) =>
    each === null && firstPage + i < openPage ? [firstPage + i] : [],
  )
  const values =
    cold.length === 0 ? [] : await state.store.getMany(cold.map((page) => inboxPageKey(user, page)))
  for (const [i, value] of values.entries()) {
    if (value !== null) bytes[cold[i]! - firstPage] = value
    else if ((await userInbox(state, user)).firstPage > cold[i]!) return null
    else throw new StoreDamagedError(`page ${cold[i]} of the inbox of ${user} is missing`)
  }
  const entries = bytes.flatMap((each, i) =>
    firstPage + i === openPage ? open : pageEntries(each!),
  )
  const skipped = from - 1 - firstPage * INBOX_PAGE
  const wanted = entries.slice(skipped, skipped + to - from + 1)
  assert(wanted.length === to - from + 1, `the inbox of ${user} has a hole`)
  return wanted
}

function pageEntries(bytes: Uint8Array): InboxEntry[] {
  const reader = new ByteReader(bytes)
  const entries = readEntries(reader)
  reader.end('a page of an inbox')
  assert(entries.length === INBOX_PAGE, `a page of an inbox holds ${entries.length} entries`)
  return entries
}

/**
 * The events of the entries in order, as `user` sees them, for `null` all; cut short at the bound of
 * bytes, one at least.
 */
export async function eventsOf(
  state: ApplicationState,
  user: string | null,
  firstInbox: number,
  entries: readonly InboxEntry[],
): Promise<InboxEvent[]> {
  const found: InboxEvent[] = []
  let bytes = 0
  for (let first = 0; first < entries.length && bytes < state.limits.pageBytes; first += TOGETHER) {
    const part = entries.slice(first, first + TOGETHER)
    const numbers = [...new Set(part.map(({ conversation }) => conversation))]
    const ids = await state.numbers.ids(numbers)
    const conversations = await conversationsFor(state, ids, user)
    const events: Map<number, ConversationEvent>[] = []
    for (const [i, number] of numbers.entries()) {
      const seqs = part.flatMap(({ conversation, seq }) => (conversation === number ? [seq] : []))
      events.push(await readSeqs(state, conversations[i]!, user, seqs))
    }
    for (const [i, { conversation, seq }] of part.entries()) {
      if (bytes >= state.limits.pageBytes) break
      const at = numbers.indexOf(conversation)
      const event = events[at]!.get(seq) ?? null
      found.push({ inbox: firstInbox + first + i, conv: ids[at]!, seq, event })
      bytes += EVENT_BYTES + (event?.body?.length ?? 0)
    }
  }
  return found
}

/** Those of the ascending seqs that are still there, read as a pull reads them. */
async function readSeqs(
  state: ApplicationState,
  conversation: Conversation,
  user: string | null,
  seqs: readonly number[],
): Promise<Map<number, ConversationEvent>> {
  const events = new Map<number, ConversationEvent>()
  for (let i = 0; i < seqs.length;) {
    let end = i + 1
    while (end < seqs.length && seqs[end] === seqs[end - 1]! + 1) end += 1
    const last = seqs[end - 1]!
    for (let after = seqs[i]! - 1; after < last;) {
      const page = await readPage(state, conversation, user, { after, limit: last - after })
      for (const event of page.events) events.set(event.seq, event)
      assert(page.next > after, `${conversation.id} ends before event ${last} of an inbox`)
      after = page.next
    }
    i = end
  }
  return events
}
