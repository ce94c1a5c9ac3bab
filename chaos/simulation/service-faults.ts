import type { FaultHooks, Of } from './nemesis.ts'
import type { SimNode } from './sim-node.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

/** An operator asks again after this. */
const AGAIN_MS = 500

/** An operator takes the node out of service, and back after a while; felt by one that agrees. */
export function takeOutOfService(
  world: SimWorld,
  { forMs }: Of<'outOfService'>,
  node: SimNode,
  { until, bit }: FaultHooks,
): boolean {
  const { process, parley } = node
  if (process === null || parley === null) return false
  // Of the node itself: asked through another one it may do so when that was undone already.
  void parley.operate({ operation: 'node.drain', node: node.name }).then((answer) => {
    if ('result' in answer) bit()
  })
  until(forMs, () => {
    putBack(world, node, process)
    return false
  })
  return false
}

/**
 * Its limits are reloaded while it runs: what each device may write, and have unanswered; felt by whoever
 * is told to write less.
 */
export function throttle(
  world: SimWorld,
  { perSecond, maxInFlight, forMs }: Of<'throttle'>,
  node: SimNode,
  { until, bit }: FaultHooks,
): boolean {
  const { process } = node
  if (node.parley === null) return false
  const rate = { perSecond, burst: perSecond }
  node.reload({ rates: { device: rate, user: rate }, gateway: { maxInFlight } })
  until(forMs, () => {
    if (node.process !== process) return false
    node.reload(null)
    slowedOn(world, node, bit)
    return false
  })
  return false
}

/** Whether it ever told anybody to write less, by its own count. */
function slowedOn({ clients }: SimWorld, { clientAddress }: SimNode, bit: () => void): void {
  const call = { method: 'GET', path: '/metrics', query: '', body: null }
  clients.call('operator', clientAddress, call, (answer) => {
    if (/^parley_rate_limited_writes_total [1-9]/m.test(answer?.body ?? '')) bit()
  })
}

/** Until it says so, or has started anew: then it serves anyway. */
function putBack(world: SimWorld, node: SimNode, life: SimProcess): void {
  if (node.process !== life) return
  const { name, parley } = node
  let isDone = false
  void parley?.operate({ operation: 'node.undrain', node: name }).then((answer) => {
    isDone = 'result' in answer
  })
  world.scheduler.after(AGAIN_MS, null, () => isDone || putBack(world, node, life))
}
