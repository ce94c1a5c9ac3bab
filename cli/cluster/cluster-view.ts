import { plainJson } from '../plain-text.ts'
import { fetchText } from './fetch-text.ts'

/**
 * One node's answer to `GET /v1/cluster`, as far as the commands use it. What only newer versions
 * say may be missing: nodes of two versions are shown side by side.
 */
export interface ClusterView {
  readonly clusterId: string
  readonly epoch: string
  /** Name of the answering node. */
  readonly node: string
  readonly leader: string | null
  readonly term: number
  readonly commit: number
  readonly applied: number
  readonly ready: boolean
  readonly reasons: readonly string[]
  readonly members: readonly ClusterMember[]
  readonly version?: string
  readonly warnings?: readonly string[]
  readonly stateHash?: string
  readonly persisted?: number
  readonly logTimeMs?: number
  readonly leaderForMs?: number
  readonly recentLeaders?: number
  readonly wallTimeMs?: number
  readonly uptimeMs?: number
  readonly sessions?: number
  readonly disk?: { readonly freeBytes: number; readonly sizeBytes: number } | null
}

export interface ClusterMember {
  readonly name: string
  readonly role: string
  readonly url: string
  readonly id?: string
  readonly peer?: string
  readonly state?: string
  readonly match?: number
  readonly progress?: string
  readonly contactMs?: number | null
}

/** What became of asking one node. */
export type NodeAnswer =
  | {
      readonly view: ClusterView
      /** The asking machine's clock in the middle of the call, in ms since 1970. */
      readonly askedAtMs: number
      readonly tookMs: number
      /** The URL of the node that told it for this one, which was not reached itself. */
      readonly through?: string
    }
  | {
      readonly view: null
      /** `refused`: it wants another token. `elsewhere`: operators have another address there. */
      readonly failure: 'silent' | 'refused' | 'elsewhere' | 'strange'
      readonly detail: string
    }

export interface AskOptions {
  readonly timeoutMs: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Asks one node for its view; never rejects. */
export async function askNode(url: string, options: AskOptions): Promise<NodeAnswer> {
  return ask(new URL('/v1/cluster', url), options)
}

/** Asks one node for the view of another one, of that name, which it reaches; never rejects. */
export async function askThrough(
  through: string,
  name: string,
  options: AskOptions,
): Promise<NodeAnswer> {
  const answer = await ask(new URL(nodePath(name), through), options)
  if (answer.view === null) return answer
  if (answer.view.node === name) return { ...answer, through }
  return { view: null, failure: 'strange', detail: `${through} tells of another node` }
}

/** Where a node tells of another one. */
export const nodePath = (name: string): string => `/v1/cluster/nodes/${encodeURIComponent(name)}`

async function ask(url: URL, options: AskOptions): Promise<NodeAnswer> {
  const startedMs = Date.now()
  try {
    const { status, text } = await fetchText(url, options)
    const tookMs = Date.now() - startedMs
    const said = parsed(text)
    if (status === 200 && isView(said)) {
      return { view: said, askedAtMs: startedMs + tookMs / 2, tookMs }
    }
    return { view: null, ...failureOf(status, said) }
  } catch (error) {
    return { view: null, failure: 'silent', detail: (error as Error).message }
  }
}

/**
 * Asks one node for its view. `null` if it does not answer within `timeoutMs`, or with something
 * else: a node that is down, stopped, or not one of ours.
 */
export async function fetchView(
  url: string,
  timeoutMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<ClusterView | null> {
  return (await askNode(url, { timeoutMs, headers })).view
}

function failureOf(
  status: number,
  said: unknown,
): { failure: 'refused' | 'elsewhere' | 'strange'; detail: string } {
  const problem = (said ?? {}) as { code?: unknown; detail?: unknown }
  if (status === 401 || status === 403) {
    return {
      failure: 'refused',
      detail: typeof problem.detail === 'string' ? problem.detail : `HTTP ${status}`,
    }
  }
  return status === 404 && problem.code === 'UNSUPPORTED'
    ? { failure: 'elsewhere', detail: 'it serves operators at another address (--admin-listen)' }
    : { failure: 'strange', detail: `answers with HTTP ${status}, and not as a node does` }
}

function parsed(text: string): unknown {
  try {
    return plainJson(JSON.parse(text))
  } catch {
    return null
  }
}

function isView(value: unknown): value is ClusterView {
  if (typeof value !== 'object' || value === null) return false
  const view = value as Partial<Record<keyof ClusterView, unknown>>
  return (
    typeof view.node === 'string' &&
    typeof view.term === 'number' &&
    typeof view.commit === 'number' &&
    typeof view.applied === 'number' &&
    typeof view.ready === 'boolean' &&
    (view.leader === null || typeof view.leader === 'string') &&
    isListOfTexts(view.reasons) &&
    (view.warnings === undefined || isListOfTexts(view.warnings)) &&
    Array.isArray(view.members) &&
    view.members.length <= 1_000 &&
    view.members.every((member: unknown) => {
      const { name, url } = (member ?? {}) as Partial<ClusterMember>
      return typeof name === 'string' && typeof url === 'string' && isUrl(url)
    })
  )
}

const isListOfTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

const isUrl = (text: string): boolean =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
