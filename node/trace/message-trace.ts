import type { LogReader } from '#cluster'
import {
  type ConversationEvent,
  type ConversationView,
  EventKind,
  type StateReader,
} from '../state-machine/types.ts'
import { findInLog, type LogPosition } from './find-in-log.ts'

export interface TraceSources {
  readonly state: StateReader
  readonly log: LogReader
}

export interface TraceWanted {
  readonly conv: string
  /** One of the two. */
  readonly seq: number | null
  readonly msgId: string | null
  /** Only of this sender: ids are unique per user. */
  readonly from: string | null
}

export interface MessageTrace {
  readonly found: true
  readonly conv: string
  readonly seq: number
  readonly kind: string
  readonly msgId: string
  readonly from: string
  readonly device: string
  /** Wall time in ms, for display. */
  readonly at: number
  readonly logTimeMs: number
  readonly replyTo: number | null
  readonly target: number | null
  /** As msgpack; `null`: there is none any more. */
  readonly bodyBytes: number | null
  readonly edited: number | null
  readonly recalled: boolean
  readonly expired: boolean
  /** In this node's own log; `null`: kept no more. */
  readonly log: LogPosition | null
  /** What later events did to it, the oldest first. */
  readonly changes: readonly { seq: number; kind: string; from: string; at: number }[]
  readonly members: number
  /** By member; `null` in a large conversation. */
  readonly receipts: readonly { user: string; delivered: boolean; read: boolean }[] | null
  readonly delivered: number
  readonly read: number
}

export interface NoTrace {
  readonly found: false
  readonly conv: string
  /** What the conversation keeps, and what of it was looked through. */
  readonly firstSeq: number
  readonly head: number
  readonly searchedFrom: number
}

const PAGE_EVENTS = 1_000
const MOST_SEARCHED = 20_000
const MOST_CHANGES = 100

const KIND_NAMES = new Map<number, string>(
  Object.entries(EventKind).map(([name, kind]) => [kind, name]),
)

/** What this node knows of one message, but for what it says; `null`: there is no such conversation. */
export async function traceMessage(
  { state, log }: TraceSources,
  wanted: TraceWanted,
): Promise<MessageTrace | NoTrace | null> {
  const conversation = await state.conversation(wanted.conv)
  if (conversation === null) return null
  const { firstSeq, head } = conversation
  const searchedFrom = wanted.seq ?? Math.max(firstSeq, head - MOST_SEARCHED + 1)
  const is = ({ seq, msgId, from }: ConversationEvent): boolean =>
    wanted.seq === null
      ? msgId === wanted.msgId && (wanted.from === null || wanted.from === from)
      : seq === wanted.seq
  let found: ConversationEvent | null = null
  const searchTo = wanted.seq ?? head
  await eachEvent(state, conversation, { from: searchedFrom, to: searchTo }, (event) => {
    if (is(event)) found = event
    return found === null
  })
  if (found === null) return { found: false, conv: wanted.conv, firstSeq, head, searchedFrom }
  return described(found, conversation, { state, log })
}

async function described(
  event: ConversationEvent,
  conversation: ConversationView,
  { state, log }: TraceSources,
): Promise<MessageTrace> {
  const { id, head, large, memberCount } = conversation
  const { seq, msgId, from, device, at, logTime, replyTo, target, edited, recalled, expired } =
    event
  const changes: { seq: number; kind: string; from: string; at: number }[] = []
  const later = { from: seq + 1, to: Math.min(head, seq + MOST_SEARCHED) }
  await eachEvent(state, conversation, later, (one) => {
    if (one.target === seq) {
      changes.push({ seq: one.seq, kind: kindOf(one), from: one.from, at: one.at })
    }
    return changes.length < MOST_CHANGES
  })
  const counts = large ? await state.receiptCounts(id, [seq]) : null
  const receipts = large
    ? null
    : ((await state.receiptsOf(id)) ?? [])
        .filter(({ user }) => user !== from)
        .map(({ user, delivered, read }) => ({
          ...{ user, delivered: delivered >= seq, read: read >= seq },
        }))
  return {
    found: true,
    conv: id,
    kind: kindOf(event),
    ...{ seq, msgId, from, device, at, logTimeMs: logTime, replyTo, target },
    bodyBytes: event.body?.length ?? null,
    ...{ edited, recalled, expired },
    log: findInLog(log, state.appliedIndex, { logTime, msgId, from }),
    changes,
    members: memberCount,
    receipts,
    delivered: counts?.delivered[0] ?? receipts?.filter((one) => one.delivered).length ?? 0,
    read: counts?.read[0] ?? receipts?.filter((one) => one.read).length ?? 0,
  }
}

/** In pages, so that nobody else waits long; until `visit` has enough. */
async function eachEvent(
  state: StateReader,
  { id }: ConversationView,
  { from, to }: { readonly from: number; readonly to: number },
  visit: (event: ConversationEvent) => boolean,
): Promise<void> {
  for (let after = from - 1; after < to;) {
    const page = await state.allEventsAfter(id, after, Math.min(PAGE_EVENTS, to - after))
    for (const event of page?.events ?? []) if (!visit(event)) return
    if (page === null || !page.hasMore || page.next <= after) return
    after = page.next
  }
}

const kindOf = ({ kind }: ConversationEvent): string => KIND_NAMES.get(kind) ?? String(kind)
