import type { ProcessCluster } from '../processes/process-cluster.ts'
import { type DrillStep, type Fault, isFault } from './drill.ts'

/** What it needs of a `ProcessCluster`. */
export interface DrilledCluster extends Pick<ProcessCluster, 'relays' | 'signal'> {
  readonly nodes: readonly { readonly name: string }[]
  start(name: string): Promise<void>
}

/** A cluster of processes and what is wrong with it: does the steps of a drill, and takes them back. */
export class BrokenCluster {
  readonly #cluster: DrilledCluster
  readonly #down = new Map<string, Fault>()
  readonly #paused = new Set<string>()

  constructor(cluster: DrilledCluster) {
    this.#cluster = cluster
  }

  faultsOf(node: string): Fault[] {
    const down = this.#down.get(node)
    return [
      ...(down === undefined ? [] : [down]),
      ...(this.#paused.has(node) ? (['pause'] as const) : []),
      ...(this.#cutOff(node).length > 0 ? (['partition'] as const) : []),
    ]
  }

  get isWhole(): boolean {
    return this.#names.every((name) => this.faultsOf(name).length === 0)
  }

  /** Whether some node can lead: only then anything can be sent. */
  get hasMajority(): boolean {
    return this.#names.some((name) => this.reachesMajority(name))
  }

  /** Whether the node can do its work and has connections with a majority, itself included. */
  reachesMajority(name: string): boolean {
    const cutOff = this.#cutOff(name)
    const reached = this.#working.filter((other) => !cutOff.includes(other))
    return reached.includes(name) && reached.length > this.#names.length / 2
  }

  /**
   * Does one step. Returns to whom.
   *
   * @throws Error if it fits nobody
   */
  async perform(step: DrillStep, leader: string | null): Promise<readonly string[]> {
    const nodes = isFault(step) ? this.#victims(step, leader) : this.#mendable(step)
    for (const node of nodes) await this.#do(step, node, nodes)
    return nodes
  }

  /** Takes back what is left. */
  async mend(): Promise<void> {
    this.#cluster.relays?.heal()
    for (const node of this.#paused) await this.#resume(node)
    await Promise.all([...this.#down.keys()].map((node) => this.#start(node)))
  }

  get #names(): string[] {
    return this.#cluster.nodes.map(({ name }) => name)
  }

  get #working(): string[] {
    return this.#names.filter((name) => !this.#down.has(name) && !this.#paused.has(name))
  }

  #cutOff(name: string): string[] {
    return this.#cluster.relays?.cutOff(name) ?? []
  }

  #victims(
    { do: fault, node }: Extract<DrillStep, { do: Fault }>,
    leader: string | null,
  ): readonly string[] {
    if (!['leader', 'follower', 'half'].includes(node)) {
      this.#requireFit(fault, node)
      return [node]
    }
    if (leader === null) throw new Error(`cannot ${fault} the ${node}: no node leads`)
    if (node === 'leader') return [leader]
    const cutOff = this.#cutOff(leader)
    const followers = this.#working.filter((name) => name !== leader && !cutOff.includes(name))
    const count = node === 'half' ? Math.floor(this.#names.length / 2) - 1 : 1
    const chosen = takeAny(followers, count)
    if (chosen.length < count) throw new Error(`cannot ${fault} a ${node}: too few nodes are left`)
    return node === 'half' ? [leader, ...chosen] : chosen
  }

  #requireFit(fault: Fault, node: string): void {
    if (fault === 'partition') return
    if (this.#down.has(node)) throw new Error(`cannot ${fault} ${node}: it is down; start it first`)
    if (this.#paused.has(node) && fault !== 'kill') {
      throw new Error(`cannot ${fault} ${node}: it is paused; resume it first`)
    }
  }

  #mendable({ do: mend, node }: DrillStep): readonly string[] {
    const fits = (name: string) =>
      mend === 'start'
        ? this.#down.has(name)
        : mend === 'resume'
          ? this.#paused.has(name)
          : this.#cutOff(name).length > 0
    const nodes = (node === undefined ? this.#names : [node]).filter(fits)
    if (nodes.length > 0) return nodes
    const state = { start: 'down', resume: 'paused', heal: 'cut off' }[mend as 'start']
    throw new Error(
      `cannot ${mend} ${node ?? 'any node'}: ${node ?? 'none'} is ${node === undefined ? '' : 'not '}${state}`,
    )
  }

  async #do(step: DrillStep, node: string, nodes: readonly string[]): Promise<void> {
    switch (step.do) {
      case 'kill':
      case 'stop':
        this.#down.set(node, step.do)
        this.#paused.delete(node)
        return this.#cluster.signal(node, step.do === 'kill' ? 'SIGKILL' : 'SIGTERM')
      case 'pause':
        this.#paused.add(node)
        return this.#cluster.signal(node, 'SIGSTOP')
      case 'partition': {
        const others = this.#names.filter((name) => !nodes.includes(name))
        return this.#cluster.relays?.cut([node], others, step.oneWay)
      }
      case 'start':
        return this.#start(node)
      case 'resume':
        return this.#resume(node)
      case 'heal':
        return this.#cluster.relays?.heal(node)
    }
  }

  async #start(node: string): Promise<void> {
    await this.#cluster.start(node)
    this.#down.delete(node)
  }

  async #resume(node: string): Promise<void> {
    await this.#cluster.signal(node, 'SIGCONT')
    this.#paused.delete(node)
  }
}

/** Others each time, by chance; fewer if there are fewer. */
function takeAny(names: readonly string[], count: number): string[] {
  const left = [...names]
  const taken: string[] = []
  while (taken.length < count && left.length > 0) {
    taken.push(...left.splice(Math.floor(Math.random() * left.length), 1))
  }
  return taken
}
