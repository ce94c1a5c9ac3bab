import type { AskOptions } from '../cluster/cluster-view.ts'
import { judge } from '../cluster/cluster-status.ts'
import { type Answers, collectViews } from '../cluster/collect-views.ts'
import { type Part, reports } from '../doctor/capture.ts'
import { observed, quantile, Samples } from '../doctor/samples.ts'
import { CliError, ExitCode } from '../exit-codes.ts'

/** What the nodes say of the time that a load took. */
export interface NodeFigures {
  /** Addresses that clients were given. */
  readonly addresses: number
  /** Who led at the beginning and, if that is another one, at the end. */
  readonly leaders: readonly string[]
  readonly nodes: readonly {
    readonly name: string
    readonly version: string | null
    /** Below it lie 99 % of the syncs of its log; `null`: not known. */
    readonly syncP99Ms: number | null
  }[]
  /** Why something is not known. */
  readonly missing: readonly string[]
}

const SYNCS = 'parley_log_sync_duration_seconds'

interface Look {
  readonly answers: Answers
  readonly metrics: ReadonlyMap<string, Part>
}

/**
 * Looks at the nodes of a cluster now, and again when a load is over.
 *
 * @throws CliError if none of them answers
 */
export async function beginFigures(
  urls: readonly string[],
  options: AskOptions,
): Promise<() => Promise<NodeFigures>> {
  const before = await look(urls, options)
  const isSilent = [...before.answers.values()].every(
    (answer) => answer.view === null && answer.failure === 'silent',
  )
  if (isSilent) throw new CliError(ExitCode.failed, `no node answers at ${urls.join(', ')}`)
  return async () => figuresOf(urls, before, await look(urls, options))
}

async function look(urls: readonly string[], options: AskOptions): Promise<Look> {
  const answers = await collectViews(urls, options)
  return { answers, metrics: await reports(answers, 'metrics', options) }
}

function figuresOf(urls: readonly string[], before: Look, after: Look): NodeFigures {
  const leaders = [before, after].map(({ answers }) => judge(answers).leader)
  const nodes = [...after.answers].flatMap(([url, { view }]) => {
    if (view === null) return []
    const first = before.metrics.get(url)?.text ?? null
    const last = after.metrics.get(url)?.text ?? null
    const { node: name, version = null } = view
    if (first === null || last === null) return [{ name, version, syncP99Ms: null }]
    const seconds = quantile(0.99, observed(SYNCS, new Samples(last), new Samples(first)))
    const isKnown = seconds !== null && seconds !== Infinity
    return [{ name, version, syncP99Ms: isKnown ? Math.round(seconds * 1e6) / 1e3 : null }]
  })
  const missing = [...after.answers].flatMap(([url, answer]) => {
    if (answer.view === null) return [`${url}: ${answer.detail}`]
    const part = after.metrics.get(url)?.missing ?? null
    return part === null ? [] : [`${url}${part}`]
  })
  return {
    addresses: urls.length,
    leaders: [...new Set(leaders)].filter((leader) => leader !== null),
    nodes: nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    missing,
  }
}
