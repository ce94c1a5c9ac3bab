import type { FaultHooks, Of } from './nemesis.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

/** How long clients get to leave a node that goes away. */
const DRAIN_MS = 2_000

/** The node is told to end, as by SIGTERM; it starts again after a while. */
export function drain(
  world: SimWorld,
  { forMs }: Of<'drain'>,
  node: SimNode,
  { until, bit }: FaultHooks,
): boolean {
  return node.drain(DRAIN_MS, () => {
    bit()
    world.scheduler.after(0, null, () =>
      until(forMs, () => {
        node.start()
        return true
      }),
    )
  })
}

/** Changes who belongs to the cluster. Says whether an operator could begin with it. */
export function changeMembers(
  { operator, nodes, scheduler }: SimWorld,
  fault: Of<'addMember' | 'removeMember' | 'replaceMember'>,
  node: SimNode | undefined,
  { bit }: FaultHooks,
): boolean {
  if (fault.kind === 'addMember') {
    const spare = nodes.find(({ standing }) => standing === 'spare' || standing === 'removed')
    return spare !== undefined && operator.add(spare, bit)
  }
  if (node === undefined) return false
  if (fault.kind === 'removeMember') return operator.remove(node, bit)
  // The machine goes, and comes back with a disk and an id that are new.
  return operator.remove(node, () => {
    scheduler.after(0, null, () => void operator.add(node, bit))
  })
}
