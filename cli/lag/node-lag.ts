import { judge } from '../cluster/cluster-status.ts'
import type { Answers } from '../cluster/collect-views.ts'

/** How far one node is behind, in two ways that are never added up. */
export interface NodeLag {
  readonly node: string
  /** Entries that are committed and that its log does not have on disk; `null`: nobody knows. */
  readonly replica: number | null
  /** Entries that it knows as committed and has not applied; `null`: it does not answer. */
  readonly apply: number | null
  /** How much older what it has applied is than what the leader has, in ms of the log's time. */
  readonly stateAgeMs: number | null
  readonly notes: readonly string[]
}

/** Of every configured member, those that are down too. */
export function nodeLags(answers: Answers): NodeLag[] {
  const { clusterId, nodes } = judge(answers)
  const views = [...answers.values()].flatMap(({ view }) =>
    view?.clusterId === clusterId && view !== null ? [view] : [],
  )
  const commit = Math.max(0, ...views.map((view) => view.commit))
  const leading = views.find(({ leader, node }) => leader === node)
  return nodes.map(({ name, lagMs, up, reasons, notes, leads }) => {
    const view = views.find(({ node }) => node === name)
    const known = view?.persisted ?? leading?.members.find((one) => one.name === name)?.match
    return {
      node: name,
      replica: known === undefined ? null : Math.max(0, commit - known),
      apply: view === undefined ? null : Math.max(0, view.commit - view.applied),
      stateAgeMs: lagMs,
      notes: [...(leads ? ['leader'] : []), ...(up ? [] : reasons), ...notes],
    }
  })
}
