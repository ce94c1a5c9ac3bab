import type { FaultHooks, Of } from './nemesis.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'

/** What goes wrong with a process or the machine it runs on. Says whether it was there to feel it. */
export function breakMachine(
  world: SimWorld,
  fault: Of<'freeze' | 'stutter' | 'crashAt' | 'crashLoop' | 'clockRate' | 'lateTimers'>,
  node: SimNode,
  hooks: FaultHooks,
): boolean {
  const { process, isUp } = node
  const { until } = hooks
  switch (fault.kind) {
    case 'freeze':
      freeze(world, node)
      until(fault.forMs, () => thaw(world, node))
      return isUp
    case 'stutter':
      stutter(world, fault, node, hooks)
      return isUp
    case 'crashAt':
      process?.dieAfter(fault.steps, () => {
        hooks.bit()
        if (fault.how === 'kill') node.kill()
        else node.powerCut()
        until(fault.forMs, () => {
          node.start()
          return true
        })
      })
      return isUp
    case 'crashLoop': {
      const before = node.loopedDeaths
      node.crashLoop = fault.livesMs
      node.kill()
      node.start()
      until(fault.forMs, () => {
        node.crashLoop = []
        return node.loopedDeaths > before
      })
      return isUp
    }
    case 'clockRate':
    case 'lateTimers':
      if (fault.kind === 'clockRate') node.setClock({ rate: fault.rate })
      else node.setClock({ latenessMs: fault.latenessMs })
      until(fault.forMs, () => {
        node.setClock(fault.kind === 'clockRate' ? { rate: 1 } : { latenessMs: 0 })
        return isUp && node.process === process
      })
      return isUp
  }
}

/** The machine stands still, its kernel too: nobody is answered, and nothing it sent goes on. */
function freeze({ network, nodes }: SimWorld, node: SimNode): void {
  node.process?.pause()
  for (const { name } of nodes) {
    if (name === node.name) continue
    network.cut(node.name, name)
    network.cut(name, node.name)
  }
}

function thaw({ network, nodes }: SimWorld, node: SimNode): boolean {
  for (const { name } of nodes) {
    if (name === node.name) continue
    network.heal(node.name, name)
    network.heal(name, node.name)
  }
  return (node.process?.resume() ?? 0) > 0
}

/** Its event loop stands still again and again, as while garbage is collected. */
function stutter(
  { scheduler }: SimWorld,
  { stallMs, everyMs, forMs }: Of<'stutter'>,
  node: SimNode,
  { until }: FaultHooks,
): void {
  let over = false
  let held = 0
  const runOn = () => {
    held += node.process?.resume() ?? 0
    if (!over) scheduler.after(everyMs, null, stall)
  }
  const stall = () => {
    if (over) return
    node.process?.pause()
    scheduler.after(stallMs, null, runOn)
  }
  stall()
  until(forMs, () => {
    over = true
    runOn()
    return held > 0
  })
}
