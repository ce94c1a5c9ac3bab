import { setTimeout as sleep } from 'node:timers/promises'
import { type AskOptions, type NodeAnswer, nodePath } from '../cluster/cluster-view.ts'
import { type Answers, collectViews } from '../cluster/collect-views.ts'
import { fetchText } from '../cluster/fetch-text.ts'
import { plainJson } from '../plain-text.ts'

/** What one node said when it was asked for everything; a part is `null` where it said nothing. */
export interface NodeCapture {
  readonly url: string
  readonly answer: NodeAnswer
  /** Prometheus' text format, of two moments: what happened between them happens now. */
  readonly metricsBefore: string | null
  readonly metrics: string | null
  /** Its settings and its machine. */
  readonly self: Self | null
  /** Why parts are missing, a sentence each. */
  readonly missing: readonly string[]
}

export interface Self {
  readonly settings: Readonly<Record<string, unknown>>
  readonly machine: Readonly<Record<string, unknown>> | null
}

/** A whole cluster at one moment, as far as it answered. Plain JSON: it can be kept and read back. */
export interface Capture {
  readonly schema: 1
  /** By the clock of who asked, in ms since 1970. */
  readonly takenAtMs: number
  /** Between the two looks at the metrics; older bundles do not say. */
  readonly sampledMs?: number
  readonly nodes: readonly NodeCapture[]
}

export interface CaptureOptions extends AskOptions {
  /** Between the two looks at the metrics, in ms. */
  readonly sampleMs: number
}

/** Asks every node for its view, its metrics twice, its settings and its machine. */
export async function captureCluster(
  urls: readonly string[],
  options: CaptureOptions,
): Promise<Capture> {
  const first = await collectViews(urls, options)
  const before = await reports(first, 'metrics', options)
  const beforeMs = performance.now()
  await sleep(options.sampleMs)
  const now = await reports(first, 'metrics', options)
  const sampledMs = performance.now() - beforeMs
  const selves = await reports(first, 'self', options)
  return {
    schema: 1,
    takenAtMs: Date.now(),
    sampledMs,
    nodes: [...first].map(([url, answer]) => {
      const asked = [before.get(url), now.get(url), selves.get(url)]
      return {
        url,
        answer,
        metricsBefore: before.get(url)?.text ?? null,
        metrics: now.get(url)?.text ?? null,
        self: selfIn(selves.get(url)?.text ?? null),
        missing: asked.flatMap((part) => part?.missing ?? []),
      }
    }),
  }
}

/** What each node said when it was asked for its view. */
export function answersOf({ nodes }: Capture): Answers {
  return new Map(nodes.map(({ url, answer }) => [url, answer]))
}

export interface Part {
  readonly text: string | null
  readonly missing: string | null
}

/** What a node tells of itself. */
export type Report = 'metrics' | 'self' | 'log?limit=2000'

/** One report of each node that answered, from whoever answered for it, at the same time; never rejects. */
export async function reports(
  answers: Answers,
  report: Report,
  options: AskOptions,
): Promise<Map<string, Part>> {
  const asked = [...answers].flatMap(([url, answer]): [string, URL][] => {
    if (answer.view === null) return []
    const { view, through } = answer
    if (through !== undefined) return [[url, new URL(`${nodePath(view.node)}/${report}`, through)]]
    return [[url, new URL(report === 'metrics' ? '/metrics' : `/v1/cluster/${report}`, url)]]
  })
  const told = await Promise.all(asked.map(([, where]) => part(where, options)))
  return new Map(asked.map(([url], at) => [url, told[at]!]))
}

/** One answer, or why there is none; never rejects. */
export async function part(where: URL, options: AskOptions): Promise<Part> {
  const path = `${where.pathname}${where.search}`
  try {
    const { status, text } = await fetchText(where, options)
    if (status === 200) return { text, missing: null }
    return { text: null, missing: `${path}: HTTP ${status}` }
  } catch (error) {
    return { text: null, missing: `${path}: ${(error as Error).message}` }
  }
}

function selfIn(text: string | null): Self | null {
  try {
    const said = plainJson(JSON.parse(text ?? '')) as Partial<Self> | null
    if (typeof said?.settings !== 'object' || said.settings === null) return null
    return { settings: said.settings, machine: said.machine ?? null }
  } catch {
    return null
  }
}
