import { MAX_EXPIRED_SEQS, type Removal, type RetentionPolicy } from '../state-machine/commands.ts'
import {
  type ConversationEvent,
  type ConversationView,
  EventKind,
  type StateReader,
} from '../state-machine/types.ts'

const PAGE_EVENTS = 256

export interface PlanOptions {
  readonly state: StateReader
  readonly conversation: ConversationView
  readonly policy: RetentionPolicy
  /** Log time, ms: ages are counted by it (rule A8), so that an outage makes nothing older. */
  readonly now: number
  /** Bodies named at most. @default what one command takes */
  readonly mostBodies?: number
  /** Waited for between two pages of a long walk; `false` ends it with what was found. */
  readonly pause?: () => Promise<boolean>
}

/**
 * What `policy` takes away from the conversation now: commands for the log, at most one cut of its
 * beginning and one list of bodies; the rest when these are applied. Changes nothing: asked alone it
 * is a dry run.
 */
export async function planRemovals(options: PlanOptions): Promise<Removal[]> {
  const { conversation, policy } = options
  const { id: from, head, firstSeq } = conversation
  if (firstSeq > head) return []
  const cut = await cutOf(options)
  const removals: Removal[] = cut < firstSeq ? [] : [{ op: 'truncate', from, upTo: cut }]
  if (policy.maxBytes === undefined || cut >= head) return removals
  const seqs = await bodiesOver(options, policy.maxBytes, Math.max(cut, firstSeq - 1))
  if (seqs.length > 0) removals.push({ op: 'expire', from, seqs })
  return removals
}

/** The last seq that is too old or one message too many; both grow with the seq. */
async function cutOf({ state, conversation, policy, now }: PlanOptions): Promise<number> {
  const { maxAgeMs, maxCount } = policy
  const { ord } = conversation
  let cut = 0
  if (maxAgeMs !== undefined) {
    const isTooOld = ({ logTime }: ConversationEvent): boolean => logTime < now - maxAgeMs
    cut = await lastWhere(state, conversation, isTooOld)
  }
  if (maxCount !== undefined && ord > maxCount) {
    // Member and settings events before the first message that is kept go with those before them.
    const isTooMany = (event: ConversationEvent): boolean => event.ord < ord - maxCount + 1
    cut = Math.max(cut, await lastWhere(state, conversation, isTooMany))
  }
  return cut
}

/** The last seq of which `holds` is true, 0 if none; it is true up to one seq and false from there on. */
async function lastWhere(
  state: StateReader,
  { id, firstSeq, head }: ConversationView,
  holds: (event: ConversationEvent) => boolean,
): Promise<number> {
  let low = firstSeq - 1
  let high = head
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const page = await state.allEventsAfter(id, middle - 1, 1)
    const event = page?.events[0]
    // Cut off meanwhile: by another round, which comes to the same end.
    if (event === undefined || event.seq !== middle) return 0
    if (holds(event)) low = middle
    else high = middle - 1
  }
  return low < firstSeq ? 0 : low
}

/** Bodies to take so that no sender has more than `maxBytes`: large ones first, then the oldest. */
async function bodiesOver(
  options: PlanOptions,
  maxBytes: number,
  after: number,
): Promise<number[]> {
  const bytesOf = new Map<string, number>()
  const isWhole = await walk(options, after, ({ from, body }) => {
    if (body !== null) bytesOf.set(from, (bytesOf.get(from) ?? 0) + body.length)
    return true
  })
  const excessOf = new Map<string, number>()
  for (const [user, bytes] of bytesOf) {
    if (bytes > maxBytes) excessOf.set(user, bytes - maxBytes)
  }
  if (!isWhole || excessOf.size === 0) return []
  const chosen = new Set<number>()
  const { mostBodies = MAX_EXPIRED_SEQS } = options
  for (const large of [true, false]) {
    if (![...excessOf.values()].some((excess) => excess > 0)) break
    await walk(
      options,
      after,
      (event) => chosen.size < mostBodies && choose(event, large, excessOf, chosen),
    )
  }
  return [...chosen].sort((a, b) => a - b)
}

/** Always true: the walk goes on. */
function choose(
  event: ConversationEvent,
  large: boolean,
  excessOf: Map<string, number>,
  chosen: Set<number>,
): true {
  const { seq, kind, from, target, body } = event
  if (body === null || chosen.has(seq)) return true
  // The edits of a message go with it.
  const isEdit = kind === EventKind.edit && target !== null && chosen.has(target)
  const excess = excessOf.get(from) ?? 0
  const isNext = kind === EventKind.message && event.large === large && excess > 0
  if (!isEdit && !isNext) return true
  chosen.add(seq)
  excessOf.set(from, excess - body.length)
  return true
}

/** Every message and edit after `after`, in order, until `visit` is false; whether it came to the end. */
async function walk(
  { state, conversation, pause }: PlanOptions,
  after: number,
  visit: (event: ConversationEvent) => boolean,
): Promise<boolean> {
  for (let next = after; ;) {
    const page = await state.allEventsAfter(conversation.id, next, PAGE_EVENTS)
    if (page === null) return false
    for (const event of page.events) {
      const says = event.kind === EventKind.message || event.kind === EventKind.edit
      if (says && !visit(event)) return false
    }
    if (!page.hasMore) return true
    next = page.next
    if (pause !== undefined && !(await pause())) return false
  }
}
