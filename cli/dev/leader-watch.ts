import { fetchView } from '../cluster/cluster-view.ts'

export interface Leadership {
  readonly leader: string | null
  readonly term: number
  /** Nodes that answered and are ready. */
  readonly ready: readonly string[]
}

const ANSWER_MS = 1_000

/**
 * Asks every node at once. A leader counts only by its own word in the newest term: others may
 * still name a dead one.
 */
export async function askLeadership(urls: readonly string[]): Promise<Leadership> {
  const views = (await Promise.all(urls.map((url) => fetchView(url, ANSWER_MS)))).filter(
    (view) => view !== null,
  )
  const term = Math.max(0, ...views.map((view) => view.term))
  const leading = views.find((view) => view.term === term && view.leader === view.node)
  return {
    leader: leading?.node ?? null,
    term,
    ready: views.filter((view) => view.ready).map((view) => view.node),
  }
}
