import { setTimeout as delay } from 'node:timers/promises'
import { type AdminCall, adminPage } from '../cluster/admin-call.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import type { ListedItem } from './event-row.ts'

/** What a node gives at most. */
const PAGE_EVENTS = 1_000
/** Between two looks whether there is more. */
const LOOK_MS = 500

export interface EventsPage {
  readonly conv: string
  readonly items: readonly ListedItem[]
  readonly next: number
  readonly hasMore: boolean
  readonly head: number
  readonly firstSeq: number
  readonly node: string
  readonly applied: number
}

export interface EventsWanted {
  readonly conversation: string
  /** `null`: the newest ones. */
  readonly after: number | null
  readonly limit: number
  readonly withBodies: boolean
}

/** Where a list goes on: nothing older than the mark is shown. */
interface Position {
  readonly next: number
  readonly mark: string | null
}

/**
 * As many events as are wanted, or as there are, from several pages if one does not hold them.
 *
 * @throws CliError
 */
export async function listEvents(
  wanted: EventsWanted,
  call: AdminCall,
): Promise<{ readonly page: EventsPage; readonly position: Position }> {
  const items: ListedItem[] = []
  let { after } = wanted
  let { mark = null } = call
  for (let left = wanted.limit; ;) {
    const asked = { ...wanted, after, limit: Math.min(left, PAGE_EVENTS) }
    const answer = await pageOf(asked, { ...call, mark })
    const { page } = answer
    mark = answer.mark
    items.push(...page.items)
    left -= page.items.filter((item) => 'seq' in item).length
    if (!page.hasMore || left <= 0) {
      return { page: { ...page, items }, position: { next: page.next, mark } }
    }
    after = page.next
  }
}

/**
 * Shows what comes behind a position until `signal` says to end. Whether there is any is asked for
 * without bodies: only what is shown shall stand in the audit log. Nodes may fail for `patienceMs`.
 *
 * @throws CliError
 */
export async function followEvents(
  wanted: EventsWanted & { readonly position: Position },
  call: AdminCall & { readonly patienceMs: number },
  show: (items: readonly ListedItem[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let { position } = wanted
  let failingSince: number | null = null
  while (!signal.aborted) {
    try {
      const from = { ...wanted, after: position.next, limit: PAGE_EVENTS }
      const { withBodies } = wanted
      let { page, mark } = await pageOf(
        { ...from, withBodies: false, limit: withBodies ? 1 : PAGE_EVENTS },
        { ...call, mark: position.mark },
      )
      if (withBodies && page.items.length > 0) {
        ;({ page, mark } = await pageOf(from, { ...call, mark }))
      }
      if (page.items.length > 0) show(page.items)
      position = { next: page.next, mark }
      failingSince = null
      if (page.hasMore) continue
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== ExitCode.failed) throw error
      failingSince ??= performance.now()
      if (performance.now() - failingSince >= call.patienceMs) throw error
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => {})
  }
}

async function pageOf(
  { conversation, after, limit, withBodies }: EventsWanted,
  call: AdminCall,
): Promise<{ readonly page: EventsPage; readonly mark: string | null }> {
  const from = after === null ? '' : `&after=${after}`
  const what = withBodies ? 'messages' : 'events'
  const path = `/v1/cluster/conversations/${encodeURIComponent(conversation)}/${what}?limit=${limit}${from}`
  const { said, mark } = await adminPage(path, call)
  return { page: said as unknown as EventsPage, mark }
}
