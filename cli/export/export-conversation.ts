import { setTimeout as delay } from 'node:timers/promises'
import { type AdminCall, adminText } from '../cluster/admin-call.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import type { ExportTarget } from './export-target.ts'

/** Before a page is asked for again that no node gave. */
const AGAIN_MS = 250

export interface ExportProgress {
  /** The last seq that the target has. */
  readonly seq: number
  /** The newest one of the conversation. */
  readonly head: number
}

/**
 * Writes everything that the conversation keeps behind what the target has, page by page: in memory is
 * one page. A page that does not come whole is asked for again, at every node, until `patienceMs` have
 * passed without any.
 *
 * @throws CliError; what was written stays, and can be gone on with
 */
export async function exportConversation(
  conversation: string,
  target: ExportTarget,
  call: AdminCall & { readonly patienceMs: number },
  onPage: (progress: ExportProgress) => void,
): Promise<ExportProgress> {
  const path = `/v1/cluster/conversations/${encodeURIComponent(conversation)}/export`
  let mark: string | null = null
  let { after } = target
  let members = 0
  for (;;) {
    const more = members === 0 ? '' : `&members=${members}`
    const page = await pageOf(`${path}?read=linearizable&after=${after}${more}`, { ...call, mark })
    await target.write(page.lines)
    ;({ mark, next: after, members } = page)
    const progress = { seq: after, head: page.head }
    onPage(progress)
    if (!page.hasMore) return progress
  }
}

async function pageOf(path: string, call: AdminCall & { readonly patienceMs: number }) {
  const until = performance.now() + call.patienceMs
  for (;;) {
    try {
      const { text, mark } = await adminText(path, call)
      return { ...readPage(text), mark: mark ?? call.mark ?? null }
    } catch (error) {
      const isOver = performance.now() >= until
      if (!(error instanceof CliError) || error.exitCode !== ExitCode.failed || isOver) throw error
    }
    await delay(AGAIN_MS)
  }
}

/** @throws CliError if its last line is not there: something on the way cut it off */
function readPage(text: string) {
  const lines = text.split('\n')
  const isWhole = lines.pop() === ''
  const last = lines.pop() ?? ''
  if (isWhole && last.startsWith('{"next":')) {
    const { next, members = 0, hasMore, head } = JSON.parse(last) as Record<string, unknown>
    if (typeof next === 'number' && typeof head === 'number' && typeof members === 'number') {
      return { lines, next, members, head, hasMore: hasMore === true }
    }
  }
  throw new CliError(ExitCode.failed, 'a page came without its end')
}
