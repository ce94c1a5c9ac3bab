import { type ClusterStatus, judge } from '../cluster/cluster-status.ts'
import type { ClusterMember, ClusterView } from '../cluster/cluster-view.ts'
import { answersOf, type Capture, type Self } from './capture.ts'
import { Samples } from './samples.ts'

/** A node that answered. */
export interface NodeRecord {
  readonly name: string
  readonly url: string
  readonly view: ClusterView
  readonly askedAtMs: number
  readonly tookMs: number
  readonly before: Samples | null
  readonly now: Samples | null
  readonly self: Self | null
}

/** What is examined: a capture, judged and read. */
export interface Patient {
  readonly status: ClusterStatus
  /** Of the members as the shown view has them. */
  readonly members: readonly ClusterMember[]
  readonly nodes: readonly NodeRecord[]
  /** By its own word in the newest term. */
  readonly leader: NodeRecord | null
  readonly takenAtMs: number
}

export function patientOf(capture: Capture): Patient {
  const status = judge(answersOf(capture))
  const nodes = capture.nodes.flatMap((node): NodeRecord[] => {
    const { answer, url, self } = node
    if (answer.view === null) return []
    const { view, askedAtMs, tookMs } = answer
    if (view.clusterId !== status.clusterId && view.clusterId !== '') return []
    const read = (text: string | null) => (text === null ? null : new Samples(text))
    const metrics = { before: read(node.metricsBefore), now: read(node.metrics) }
    return [{ name: view.node, url, view, askedAtMs, tookMs, self, ...metrics }]
  })
  const shown = nodes.find(({ name }) => name === status.view)
  return {
    status,
    members: shown?.view.members ?? [],
    nodes,
    leader: nodes.find(({ name }) => name === status.leader) ?? null,
    takenAtMs: capture.takenAtMs,
  }
}

/** How much a counter grew between the two looks; 0 where it is not known. */
export function growth(
  { now, before }: NodeRecord,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const last = now?.value(name, labels) ?? null
  const first = before?.value(name, labels) ?? null
  return last === null || first === null ? 0 : Math.max(0, last - first)
}
