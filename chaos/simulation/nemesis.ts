import { breakDisk, hurtDisk } from './disk-faults.ts'
import type { PlannedFault, Target } from './fault-plan.ts'
import { breakPath } from './link-faults.ts'
import { changeMembers, drain } from './member-faults.ts'
import { breakMachine } from './machine-faults.ts'
import { takeOutOfService, throttle } from './service-faults.ts'
import type { SimLink } from './sim-link.ts'
import type { SimNode } from './sim-node.ts'
import type { SimWorld } from './sim-world.ts'
import type { Fault } from './swarm.ts'

type Tally = Partial<Record<Fault, number>>
export type Of<K extends Fault> = Extract<PlannedFault, { readonly kind: K }>

/** What a fault may ask for. */
export interface FaultHooks {
  /** It was seen to do something. */
  readonly bit: () => void
  /** Calls `end` after `forMs`, or when the nemesis stops; it says whether the fault was seen to bite. */
  readonly until: (forMs: number, end: () => boolean) => void
}

/**
 * Does to a world what was planned: what rule K10 says must be survived, in any combination. What may
 * be done to disks is bounded by `survivable.ts`; everything else may happen to any number of nodes at once.
 */
export class Nemesis {
  readonly #world: SimWorld
  readonly #faults: readonly PlannedFault[]
  /** What still has to be put right, with the evidence that it did anything. */
  readonly #underWay = new Set<() => void>()
  #active = false
  /** What was done while there was somebody to feel it. */
  readonly #felt = new Set<PlannedFault>()
  /** What was seen to do something. */
  readonly #bit = new Set<PlannedFault>()

  constructor(world: SimWorld, faults: readonly PlannedFault[]) {
    this.#world = world
    this.#faults = faults
  }

  /** How often each fault was done to somebody who could feel it: a dead node feels no pause. */
  get injected(): Readonly<Tally> {
    return tally([...this.#felt.union(this.#bit)])
  }

  /** How often each fault was seen to do something. */
  get evidence(): Readonly<Tally> {
    return tally([...this.#bit])
  }

  start(): void {
    this.#active = true
    const { network, nodes } = this.#world
    const has = (...kinds: Fault[]) => this.#faults.some(({ kind }) => kinds.includes(kind))
    if (has('replay')) network.rememberFrames()
    if (has('lostWrite', 'misdirect')) for (const node of nodes) node.platter.rememberWrites()
    this.#schedule(0, this.#world.scheduler.nowMs)
  }

  /** Puts right what has its end still before it. */
  stop(): void {
    for (const end of [...this.#underWay]) end()
    this.#active = false
  }

  #schedule(at: number, startedMs: number): void {
    const fault = this.#faults[at]
    if (fault === undefined) return
    const { scheduler } = this.#world
    scheduler.after(Math.max(0, startedMs + fault.atMs - scheduler.nowMs), null, () => {
      if (!this.#active) return
      this.#world.note(`nemesis ${JSON.stringify(fault)}`)
      if (this.#inject(fault)) this.#felt.add(fault)
      this.#schedule(at + 1, startedMs)
    })
  }

  /** Calls `end` after `forMs`, or when the nemesis stops; it says whether the fault bit. */
  #for(fault: PlannedFault, forMs: number, end: () => boolean): void {
    const once = () => {
      if (this.#underWay.delete(once) && end()) this.#bit.add(fault)
    }
    this.#underWay.add(once)
    // What was under way when all was healed is put right as soon as it can be.
    this.#world.scheduler.after(this.#active ? forMs : 0, null, once)
  }

  #hooksOf(fault: PlannedFault): FaultHooks {
    return {
      bit: () => this.#bit.add(fault),
      until: (forMs, end) => this.#for(fault, forMs, end),
    }
  }

  #node(target: Target, except?: SimNode): SimNode | undefined {
    const { nodes } = this.#world
    const isLeader = (node: SimNode) => node.parley?.replica?.status().role === 'leader'
    return target
      .map((name) =>
        nodes.find((node) => (name === 'leader' ? isLeader(node) : node.name === name)),
      )
      .find((node) => node !== undefined && node !== except)
  }

  /** Says whether there was somebody to feel it. */
  #inject(fault: PlannedFault): boolean {
    if (fault.kind === 'killAll' || fault.kind === 'powerAll') {
      const { nodes } = this.#world
      const anyUp = nodes.some(({ isUp }) => isUp)
      for (const [at, node] of nodes.entries()) this.#down(fault, node, fault.forMs[at] ?? 0)
      return anyUp
    }
    if (fault.kind === 'halves' || fault.kind === 'bridge') return this.#divide(fault)
    if (fault.kind === 'ring') return this.#ring(fault)
    if (fault.kind === 'transfer') {
      const asked = this.#transfer(fault.to)
      if (asked) this.#bit.add(fault)
      return asked
    }
    if (fault.kind === 'addMember') {
      return changeMembers(this.#world, fault, undefined, this.#hooksOf(fault))
    }
    const node = this.#node(fault.target)
    if (node === undefined) return false
    const { isUp, process } = node
    const hooks = this.#hooksOf(fault)
    switch (fault.kind) {
      case 'kill':
      case 'power':
        this.#down(fault, node, fault.forMs)
        return isUp
      case 'pause':
        process?.pause()
        this.#for(fault, fault.forMs, () => (process?.resume() ?? 0) > 0)
        return isUp
      case 'failpoint':
        this.#setTrap(fault, node)
        // Felt by whoever dies of it: nobody may come by.
        return false
      case 'wallJump':
        node.wall.offsetMs += fault.byMs
        if (isUp) this.#bit.add(fault)
        return isUp
      case 'slowDisk':
      case 'diskError':
      case 'diskFull':
      case 'readError':
        return breakDisk(fault, node, hooks.until)
      case 'storeRot':
      case 'logRot':
      case 'wipe':
      case 'lostWrite':
      case 'misdirect':
      case 'rollback':
        return hurtDisk(this.#world, fault, node, hooks)
      case 'freeze':
      case 'stutter':
      case 'crashAt':
      case 'crashLoop':
      case 'clockRate':
      case 'lateTimers':
        return breakMachine(this.#world, fault, node, hooks)
      case 'drain':
        return drain(this.#world, fault, node, hooks)
      case 'outOfService':
        return takeOutOfService(this.#world, fault, node, hooks)
      case 'throttle':
        return throttle(this.#world, fault, node, hooks)
      case 'removeMember':
      case 'replaceMember':
        return changeMembers(this.#world, fault, node, hooks)
      case 'halfOpen':
      case 'lossy':
      case 'replay': {
        const other = this.#node(fault.towards, node)
        return other !== undefined && breakPath(this.#world, fault, [node, other], hooks.until)
      }
      case 'isolate':
      case 'oneWay':
      case 'clog':
      case 'slowLink':
      case 'reset':
        return this.#disturb(fault, node)
    }
  }

  /** A node that is down meets it in its next life, within its start. */
  #setTrap(fault: Of<'failpoint'>, node: SimNode): void {
    const { next, forMs } = fault
    const onDeath = () => {
      this.#bit.add(fault)
      this.#backAfter(fault, node, forMs)
    }
    const onFirstDeath = () => {
      onDeath()
      if (next !== undefined) node.arm({ ...fault, point: next, passes: 0, onDeath })
    }
    node.arm({ ...fault, onDeath: onFirstDeath })
  }

  #down(fault: Of<'kill' | 'power' | 'killAll' | 'powerAll'>, node: SimNode, forMs: number): void {
    if (node.isUp) this.#bit.add(fault)
    if (fault.kind === 'kill' || fault.kind === 'killAll') node.kill()
    else node.powerCut()
    this.#backAfter(fault, node, forMs)
  }

  #backAfter(fault: PlannedFault, node: SimNode, forMs: number): void {
    this.#for(fault, forMs, () => {
      node.start()
      return false
    })
  }

  #transfer(to: string): boolean {
    const replica = this.#node(['leader'])?.parley?.replica
    const heir = replica?.configuration.voters.find(({ name }) => name === to)
    if (heir === undefined || heir.id === replica?.status().id) return false
    replica?.transferLeadership(heir.id)
    return true
  }

  #disturb(
    fault: Of<'isolate' | 'oneWay' | 'clog' | 'slowLink' | 'reset'>,
    node: SimNode,
  ): boolean {
    const { network, scheduler, nodes } = this.#world
    const others = nodes.filter((other) => other !== node)
    if (fault.kind === 'isolate') return this.#cut(fault, pairs([node], others, true))
    if (fault.kind === 'oneWay' && fault.towards === 'all') {
      return this.#cut(fault, pairs([node], others, false))
    }
    const other = this.#node(fault.towards as Target, node)
    if (other === undefined) return false
    if (fault.kind === 'oneWay') return this.#cut(fault, [[node.name, other.name]])
    const bothUp = node.isUp && other.isUp
    if (fault.kind === 'reset') {
      if (network.reset(node.name, other.name) > 0) this.#bit.add(fault)
      return bothUp
    }
    const link = network.link(node.name, other.name)
    const before = disturbed(link)
    if (fault.kind === 'clog') link.cloggedUntilMs = scheduler.nowMs + fault.forMs
    else link.slowMs = fault.slowMs
    this.#for(fault, fault.forMs, () => {
      if (fault.kind === 'slowLink') link.slowMs = 0
      return disturbed(link) > before
    })
    return bothUp
  }

  #divide(fault: Of<'halves' | 'bridge'>): boolean {
    const { nodes } = this.#world
    const side = nodes.filter(({ name }) => fault.side.includes(name))
    const middle = fault.kind === 'bridge' ? fault.middle : null
    const rest = nodes.filter((node) => !side.includes(node) && node.name !== middle)
    return this.#cut(fault, pairs(side, rest, true))
  }

  #ring(fault: Of<'ring'>): boolean {
    const order = this.#world.nodes.toSorted(
      (a, b) => fault.order.indexOf(a.name) - fault.order.indexOf(b.name),
    )
    const apart = order.flatMap((one, at) =>
      order.slice(at + 2, at === 0 ? -1 : undefined).map((other) => [one, other] as const),
    )
    return this.#cut(
      fault,
      apart.flatMap(([one, other]) => pairs([one], [other], true)),
    )
  }

  #cut(
    fault: Of<'isolate' | 'oneWay' | 'halves' | 'bridge' | 'ring'>,
    wires: readonly (readonly [string, string])[],
  ): boolean {
    const { network, nodes } = this.#world
    const up = new Set(nodes.filter(({ isUp }) => isUp).map(({ name }) => name))
    const links = wires.map(([from, to]) => network.link(from, to))
    const heldUp = () => links.reduce((sum, link) => sum + disturbed(link), 0)
    const before = heldUp()
    for (const [from, to] of wires) network.cut(from, to)
    this.#for(fault, fault.forMs, () => {
      for (const [from, to] of wires) network.heal(from, to)
      return heldUp() > before
    })
    return wires.some(([from, to]) => up.has(from) && up.has(to))
  }
}

function disturbed(link: SimLink): number {
  return link.heldUp + link.slowed
}

function pairs(one: readonly SimNode[], other: readonly SimNode[], bothWays: boolean) {
  return one.flatMap(({ name: a }) =>
    other.flatMap(({ name: b }): [string, string][] =>
      bothWays
        ? [
            [a, b],
            [b, a],
          ]
        : [[a, b]],
    ),
  )
}

function tally(faults: readonly PlannedFault[]): Tally {
  const counts: Tally = {}
  for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
