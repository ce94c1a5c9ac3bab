/** One node's answer to `GET /v1/cluster`, as far as the commands use it. */
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
}

export interface ClusterMember {
  readonly name: string
  readonly role: string
  readonly url: string
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
  try {
    const response = await fetch(new URL('/v1/cluster', url), {
      signal: AbortSignal.timeout(timeoutMs),
      headers,
    })
    if (!response.ok) return null
    const view: unknown = await response.json()
    return isView(view) ? view : null
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
    Array.isArray(view.reasons) &&
    Array.isArray(view.members) &&
    view.members.every((member: unknown) => {
      const { name, url } = (member ?? {}) as Partial<ClusterMember>
      return typeof name === 'string' && typeof url === 'string'
    })
  )
}
