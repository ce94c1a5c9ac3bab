import type { FaultHooks, Of } from './nemesis.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

/**
 * What a path between two nodes does to what they say. TCP hides loss as long stalls, each on its
 * connection alone, so that others overtake it. Frames that come twice, or again from before, are
 * the work of a faulty box in between. Says whether both were there to feel it.
 */
export function breakPath(
  { network }: SimWorld,
  fault: Of<'halfOpen' | 'lossy' | 'replay'>,
  [node, other]: readonly [SimNode, SimNode],
  until: FaultHooks['until'],
): boolean {
  const link = network.link(node.name, other.name)
  const { stalled, replayed, swallowed } = link
  switch (fault.kind) {
    case 'halfOpen': {
      const found = network.halfOpen(node.name, other.name) > 0
      until(fault.forMs, () => link.swallowed > swallowed)
      return found
    }
    case 'lossy':
      link.stallShare = fault.share
      until(fault.forMs, () => {
        link.stallShare = 0
        return link.stalled > stalled
      })
      break
    case 'replay':
      link.replayShare = fault.share
      until(fault.forMs, () => {
        link.replayShare = 0
        return link.replayed > replayed
      })
      break
  }
  return node.isUp && other.isUp
}
