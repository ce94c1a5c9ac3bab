import { FAILPOINTS, type FailpointName } from '#cluster'
import type { Prng } from '../prng.ts'
import type { SimNode } from './sim-node.ts'
import type { Fault } from './swarm.ts'
import type { SimWorld } from './sim-world.ts'

type NetworkFault = Extract<
  Fault,
  'isolate' | 'halves' | 'bridge' | 'oneWay' | 'clog' | 'slowLink' | 'reset'
>

/**
 * Breaks things at random while a run is in its safety phase: what rule K10 says must be survived, in
 * any combination. At most f of 2f+1 disks are ever damaged or lost; everything else may happen to
 * any number of nodes at once.
 */
export class Nemesis {
  readonly #world: SimWorld
  readonly #prng: Prng
  readonly #faults: readonly Fault[]
  readonly #everyMs: number
  #active = false
  #damaged = 0
  /** How often each fault was injected. */
  readonly injected = new Map<Fault, number>()

  constructor(world: SimWorld, prng: Prng, faults: readonly Fault[], everyMs: number) {
    this.#world = world
    this.#prng = prng
    this.#faults = faults
    this.#everyMs = everyMs
  }

  start(): void {
    if (this.#faults.length === 0) return
    this.#active = true
    this.#next()
  }

  stop(): void {
    this.#active = false
  }

  #next(): void {
    this.#after(-Math.log(1 - this.#prng.float()) * this.#everyMs, () => {
      const fault = this.#prng.pick(this.#faults)
      this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1)
      this.#world.note(`nemesis ${fault}`)
      this.#inject(fault)
      this.#next()
    })
  }

  /** Nothing of it happens any more once the nemesis was stopped: `heal` puts everything right. */
  #after(delayMs: number, run: () => void): void {
    this.#world.scheduler.after(delayMs, null, () => {
      if (this.#active) run()
    })
  }

  #for(run: () => void): void {
    this.#after(this.#prng.pick([50, 400, 1_500, 6_000]) * this.#prng.between(0.5, 2), run)
  }

  #target(): SimNode {
    const { nodes } = this.#world
    const leader = nodes.find((node) => node.parley?.replica?.status().role === 'leader')
    return leader !== undefined && this.#prng.chance(0.5) ? leader : this.#prng.pick(nodes)
  }

  #inject(fault: Fault): void {
    const { nodes } = this.#world
    const node = this.#target()
    switch (fault) {
      case 'kill':
        this.#down(node, () => node.kill())
        return
      case 'killAll':
        for (const one of nodes) this.#down(one, () => one.kill())
        return
      case 'power':
        this.#down(node, () => node.powerCut())
        return
      case 'powerAll':
        for (const one of nodes) this.#down(one, () => one.powerCut())
        return
      case 'pause':
        node.process?.pause()
        this.#for(() => node.process?.resume())
        return
      case 'failpoint':
        if (this.#prng.chance(0.3)) node.diesBeforeSync = true
        else node.armed = this.#prng.pick(Object.keys(FAILPOINTS) as FailpointName[])
        return
      case 'transfer':
        this.#transfer()
        return
      case 'wallJump':
        node.wall.offsetMs += this.#prng.between(-1, 1) * this.#prng.pick([100, 1e4, 1e9])
        return
      case 'slowDisk':
        this.#slowDisk(node)
        return
      case 'diskError':
        this.#diskError(node)
        return
      case 'storeRot':
        this.#damage(node, () => void node.databases.rot())
        return
      case 'logRot':
        this.#damage(
          node,
          () => void node.platter.rot(this.#prng, (path) => path.includes('/log/')),
        )
        return
      case 'wipe':
        this.#wipe(node)
        return
      case 'isolate':
      case 'halves':
      case 'bridge':
      case 'oneWay':
      case 'clog':
      case 'slowLink':
      case 'reset':
        this.#breakNetwork(fault, node)
    }
  }

  #down(node: SimNode, how: () => void): void {
    how()
    this.#for(() => node.start())
  }

  #transfer(): void {
    const replica = this.#world.nodes
      .map((node) => node.parley?.replica)
      .find((one) => one?.status().role === 'leader')
    if (replica === undefined || replica === null) return
    replica.transferLeadership(this.#prng.pick(replica.configuration.voters).id)
  }

  #slowDisk(node: SimNode): void {
    const factor = this.#prng.pick([5, 30, 200])
    node.platter.faults.slowness = factor
    node.databases.slowness = factor
    this.#for(() => {
      node.platter.faults.slowness = 1
      node.databases.slowness = 1
    })
  }

  #diskError(node: SimNode): void {
    const kind = this.#prng.pick(['writeErrorShare', 'syncErrorShare'] as const)
    node.platter.faults[kind] = this.#prng.pick([0.01, 0.2, 1])
    this.#for(() => (node.platter.faults[kind] = 0))
  }

  /** Only as many disks as the others can make up for (rule K10). */
  #mayDamage(node: SimNode): boolean {
    if (node.damaged) return true
    const tolerated = Math.floor((this.#world.nodes.length - 1) / 2)
    if (this.#damaged >= tolerated) return false
    this.#damaged += 1
    node.damaged = true
    return true
  }

  #damage(node: SimNode, how: () => void): void {
    if (!this.#mayDamage(node)) return
    this.#down(node, () => {
      node.kill()
      how()
    })
  }

  #wipe(node: SimNode): void {
    if (!this.#mayDamage(node)) return
    this.#down(node, () => {
      node.powerCut()
      node.wipe()
    })
  }

  #breakNetwork(fault: NetworkFault, node: SimNode): void {
    const names = this.#prng.shuffled(this.#world.nodes.map(({ name }) => name))
    const others = names.filter((name) => name !== node.name)
    const half = Math.ceil(names.length / 2)
    switch (fault) {
      case 'isolate':
        this.#cut([node.name], others, true)
        return
      case 'halves':
        this.#cut(names.slice(0, half), names.slice(half), true)
        return
      case 'bridge':
        // One node sees both sides, the sides do not see each other.
        this.#cut(names.slice(1, half), names.slice(half), true)
        return
      case 'oneWay':
        this.#cut([node.name], this.#prng.chance(0.5) ? others : others.slice(0, 1), false)
        return
      case 'clog': {
        const link = this.#world.network.link(node.name, this.#prng.pick(names))
        link.cloggedUntilMs = this.#world.scheduler.nowMs + this.#prng.between(50, 5_000)
        return
      }
      case 'slowLink': {
        const link = this.#world.network.link(node.name, this.#prng.pick(names))
        link.slowMs = this.#prng.pick([20, 200, 1_000])
        this.#for(() => (link.slowMs = 0))
        return
      }
      case 'reset':
        this.#world.network.reset(node.name, this.#prng.pick(names))
        return
    }
  }

  #cut(one: readonly string[], other: readonly string[], bothWays: boolean): void {
    const { network } = this.#world
    const links = one.flatMap((a) =>
      other.flatMap((b) => (bothWays ? [[a, b] as const, [b, a] as const] : [[a, b] as const])),
    )
    for (const [from, to] of links) network.cut(from, to)
    this.#for(() => {
      for (const [from, to] of links) network.heal(from, to)
    })
  }
}
