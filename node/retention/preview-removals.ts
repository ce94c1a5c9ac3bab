import type { RetentionPolicy } from '../state-machine/commands.ts'
import { type ConversationView, EventKind, type StateReader } from '../state-machine/types.ts'
import { planRemovals } from './plan-removals.ts'

const PAGE_EVENTS = 256
/** Stubs of one conversation that are counted; where there are more, `isWhole` is false. */
const MOST_BODIES = 100_000

/** What a policy would take away from a conversation now. */
export interface RemovalPreview {
  readonly conv: string
  readonly policy: RetentionPolicy
  /** Cut off at the beginning, member and settings events too. */
  readonly events: number
  /** Messages and edits in the middle that would be left without a body. */
  readonly stubs: number
  /** Bodies of both. */
  readonly bytes: number
  /** The first event that would be kept; `null`: none would. */
  readonly oldestKept: { readonly seq: number; readonly at: number } | null
  /** `false`: more would go than was counted. */
  readonly isWhole: boolean
}

export interface PreviewOptions {
  readonly state: StateReader
  readonly conversation: ConversationView
  readonly policy: RetentionPolicy
  /** Log time, ms. */
  readonly now: number
  /** Waited for between two pages; `false` ends it. */
  readonly pause: () => Promise<boolean>
}

/** The dry run of retention: reads, and changes nothing. `null`: it was ended. */
export async function previewRemovals(options: PreviewOptions): Promise<RemovalPreview | null> {
  const { state, conversation, policy, pause } = options
  const { id: conv, firstSeq } = conversation
  let isEnded = false
  const goOn = async (): Promise<boolean> => {
    const may = await pause()
    isEnded ||= !may
    return may
  }
  const removals = await planRemovals({ ...options, pause: goOn, mostBodies: MOST_BODIES })
  if (isEnded) return null
  let cut = firstSeq - 1
  let stubs: ReadonlySet<number> = new Set()
  for (const removal of removals) {
    if (removal.op === 'truncate') cut = removal.upTo
    else stubs = new Set(removal.seqs)
  }
  const counted = { events: 0, stubs: 0, bytes: 0 }
  let oldestKept: RemovalPreview['oldestKept'] = null
  let left = stubs.size
  for (let after = firstSeq - 1, hasMore = true; hasMore;) {
    const page = await state.allEventsAfter(conv, after, PAGE_EVENTS)
    if (page === null) break
    for (const { seq, at, kind, body } of page.events) {
      const isStub = stubs.has(seq)
      if (seq <= cut) counted.events += 1
      else oldestKept ??= { seq, at }
      if (isStub) {
        counted.stubs += 1
        left -= 1
      }
      const says = kind === EventKind.message || kind === EventKind.edit
      if ((seq <= cut || isStub) && says) counted.bytes += body?.length ?? 0
    }
    after = page.next
    hasMore = page.hasMore && (after <= cut || left > 0)
    if (hasMore && !(await goOn())) return null
  }
  return { conv, policy, ...counted, oldestKept, isWhole: stubs.size < MOST_BODIES }
}
