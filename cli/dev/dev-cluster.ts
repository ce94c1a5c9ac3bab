import { setTimeout as delay } from 'node:timers/promises'
import { CliError, ExitCode } from '../exit-codes.ts'
import type { PeerRelays } from '../../chaos/processes/peer-relays.ts'
import type { ActionResult, CutShape, DevAction, DevEvent } from './dev-events.ts'
import { groupsOf } from './cut-groups.ts'
import type { DevNode } from './layout.ts'
import { type Leadership, askLeadership } from './leader-watch.ts'
import { NodeProcess } from './node-process.ts'

export interface DevClusterOptions {
  readonly nodes: readonly DevNode[]
  /** Through which the nodes reach each other; `null`: directly, and nothing can be cut. */
  readonly relays: PeerRelays | null
  /** The command line that runs a node. */
  readonly command: (node: DevNode) => readonly string[]
  /** Called in the order things happen. */
  readonly onEvent: (event: DevEvent) => void
  /** How long the first start may take until every node is ready. @default 60_000 */
  readonly readyTimeoutMs?: number
  /** How long a node may drain before it is killed. @default 15_000 */
  readonly drainMs?: number
}

const WATCH_MS = 500
/** While a leader is looked for: fine enough to tell an election's length. */
const SEARCH_MS = 10
const NEW_LEADER_MS = 10_000
const START_MS = 10_000
const LOG_LINES = 12

/**
 * A cluster of real processes on this machine. Starts them, watches who leads, stops, kills and
 * pauses them and cuts them off on request. A node that was killed, stopped, or ended by itself
 * stays down until `start`; a cut stays, whatever becomes of the nodes around it, until `heal`.
 */
export class DevCluster {
  readonly #options: DevClusterOptions
  readonly #processes: readonly NodeProcess[]
  #leadership: Leadership = { leader: null, term: 0, ready: [] }
  #watching = false
  #isReady = false
  #stopping: Promise<void> | null = null
  /** Actions run one after the other. */
  #lastAction: Promise<unknown> = Promise.resolve()

  constructor(options: DevClusterOptions) {
    this.#options = options
    this.#processes = options.nodes.map(
      (node) =>
        new NodeProcess(node, options.command(node), (end) => {
          if (!this.#isReady) return
          this.#emit({ event: 'exit', node: node.name, ...end })
        }),
    )
  }

  get leader(): string | null {
    return this.#leadership.leader
  }

  get nodes(): readonly {
    readonly id: string
    readonly url: string
    readonly pid: number | null
  }[] {
    return this.#processes.map(({ node, pid }) => ({ id: node.name, url: node.url, pid }))
  }

  /** The nodes that it does not hear or that do not hear it, because of a cut. */
  cutOff(id: string): readonly string[] {
    return this.#options.relays?.cutOff(id) ?? []
  }

  /** Resolves when every node is ready and one leads. If that fails, everything is stopped again. */
  async start(): Promise<void> {
    for (const one of this.#processes) one.start()
    try {
      await this.#untilAllReady()
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#isReady = true
    this.#emit({
      event: 'ready',
      leader: this.#leadership.leader ?? '',
      term: this.#leadership.term,
      nodes: this.nodes.map((node) => ({ ...node, pid: node.pid ?? 0 })),
    })
    void this.#watch()
  }

  /** Acts on `leader`, a node's name, or by default on what the action fits. */
  act(action: DevAction, target?: string, shape: CutShape = {}): Promise<ActionResult> {
    const result = this.#lastAction.then(() => this.#act(action, target, shape))
    this.#lastAction = result.catch(() => {})
    return result
  }

  /** Drains every node, within bounds. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  /** Ends every node at once. Data is safe: that is what the product is for. */
  killAll(): void {
    for (const one of this.#processes) void one.kill()
  }

  async #stopAll(): Promise<void> {
    const wasReady = this.#isReady
    if (wasReady) this.#emit({ event: 'stopping' })
    this.#watching = false
    await Promise.all(this.#processes.map((one) => one.stop(this.#options.drainMs ?? 15_000)))
    if (wasReady) this.#emit({ event: 'stopped' })
  }

  async #untilAllReady(): Promise<void> {
    const limitMs = this.#options.readyTimeoutMs ?? 60_000
    const deadline = performance.now() + limitMs
    for (;;) {
      const dead = this.#processes.find(({ state }) => state === 'down')
      if (this.#stopping !== null) throw new CliError(ExitCode.failed, 'stopped while starting')
      if (dead !== undefined) {
        throw new CliError(
          ExitCode.failed,
          `${dead.node.name} ended while starting; the end of ${dead.node.logFile}:\n${dead.tail(LOG_LINES).join('\n')}`,
        )
      }
      this.#leadership = await askLeadership(this.#urls())
      if (
        this.#leadership.leader !== null &&
        this.#leadership.ready.length === this.#processes.length
      ) {
        return
      }
      if (performance.now() > deadline) {
        const missing = this.#processes
          .map(({ node }) => node.name)
          .filter((name) => !this.#leadership.ready.includes(name))
        throw new CliError(
          ExitCode.failed,
          `not ready after ${limitMs / 1_000} s: ${missing.join(', ')}; their logs are beside their data (${this.#processes[0]?.node.logFile})`,
        )
      }
      await delay(50)
    }
  }

  /** Emits `leader` whenever it changes, until the cluster stops. */
  async #watch(): Promise<void> {
    this.#watching = true
    while (this.#watching) {
      await delay(WATCH_MS, undefined, { ref: false })
      if (this.#watching) this.#see(await askLeadership(this.#urls()))
    }
  }

  #see(now: Leadership): void {
    // An older view may arrive late; and nobody answering says nothing about the term.
    if (now.term < this.#leadership.term && now.leader !== null) return
    const term = Math.max(now.term, this.#leadership.term)
    const changed =
      now.leader !== this.#leadership.leader ||
      (now.leader !== null && term !== this.#leadership.term)
    this.#leadership = { ...now, term }
    if (changed && this.#watching) this.#emit({ event: 'leader', leader: now.leader, term })
  }

  async #act(
    action: DevAction,
    target: string | undefined,
    shape: CutShape,
  ): Promise<ActionResult> {
    if (this.#stopping !== null) return refuse(action, 'the cluster is stopping')
    if (action === 'partition') return this.#partition(target ?? 'leader', shape)
    if (action === 'heal') return this.#heal(target)
    const chosen = await this.#choose(action, target)
    if (typeof chosen === 'string') return refuse(action, chosen, this.#isUnknown(target))
    switch (action) {
      case 'kill':
      case 'stop':
      case 'pause':
        return this.#takeDown(action, chosen)
      case 'start':
        return this.#bringUp(chosen)
      case 'resume': {
        for (const one of chosen) {
          one.resume()
          this.#emit({ event: 'resumed', node: one.node.name, pid: one.pid ?? 0 })
        }
        return { ok: true, action, nodes: chosen.map(named) }
      }
    }
  }

  /** The processes meant, or a sentence that says why there are none. */
  async #choose(
    action: Exclude<DevAction, 'partition' | 'heal'>,
    target: string | undefined,
  ): Promise<NodeProcess[] | string> {
    const fits = action === 'start' ? 'down' : action === 'resume' ? 'paused' : 'running'
    if (target === undefined && fits !== 'running') {
      const all = this.#processes.filter(({ state }) => state === fits)
      return all.length > 0 ? all : `no node is ${fits}`
    }
    let name = target ?? 'leader'
    if (name === 'leader') {
      this.#see(await askLeadership(this.#urls()))
      const leader = this.#leadership.leader
      if (leader === null) return 'no node leads at the moment'
      name = leader
    }
    const one = this.#processes.find(({ node }) => node.name === name)
    if (one === undefined) {
      return `there is no node ${name}: there are ${this.#processes.map(({ node }) => node.name).join(', ')}`
    }
    // A paused node can be killed or stopped as well.
    const may =
      one.state === fits || (one.state === 'paused' && (action === 'kill' || action === 'stop'))
    if (may) return [one]
    const hint = { down: ' (start brings it back)', paused: ' (resume lets it go on)', running: '' }
    return `${name} is ${one.state}${hint[one.state]}`
  }

  async #takeDown(action: 'kill' | 'stop' | 'pause', [one]: NodeProcess[]): Promise<ActionResult> {
    if (one === undefined) throw new Error('an action needs a node')
    const before = named(one)
    const oldLeader = this.#leadership.leader
    const { term } = this.#leadership
    const startedAt = performance.now()
    let remark: string | undefined
    if (action === 'kill') await one.kill()
    else if (action === 'stop') {
      if (await one.stop(this.#options.drainMs ?? 15_000))
        remark = 'it did not drain in time and was killed'
    } else {
      one.pause()
      this.#emit({ event: 'paused', node: one.node.name, pid: before.pid ?? 0 })
    }
    const result = {
      ok: true,
      action,
      nodes: [before],
      ...(remark === undefined ? {} : { remark }),
    } as const
    if (oldLeader !== one.node.name) return result
    return this.#withNewLeader(result, { oldLeader, term, startedAt })
  }

  async #partition(target: string, { others, oneWay = false }: CutShape): Promise<ActionResult> {
    const { relays } = this.#options
    if (relays === null) return refuse('partition', 'the nodes of this cluster have no relays')
    this.#see(await askLeadership(this.#urls()))
    const { leader: oldLeader, term } = this.#leadership
    const names = this.#processes.map(({ node }) => node.name)
    const groups = groupsOf({ target, others }, names, oldLeader)
    if ('message' in groups) return { ok: false, action: 'partition', ...groups }
    const { some, from } = groups
    const isNew = some.some((one) => from.some((other) => !relays.isCut(one, other)))
    if (!isNew) {
      return refuse('partition', 'that cut is there already (heal takes it back)')
    }
    const startedAt = performance.now()
    relays.cut(some, from, oneWay)
    this.#emit({ event: 'partitioned', nodes: some, from, oneWay })
    const nodes = this.#named(some)
    const result = { ok: true, action: 'partition', nodes, from, oneWay } as const
    if (oldLeader === null || this.#reachesMajority(oldLeader)) return result
    return this.#withNewLeader(result, { oldLeader, term, startedAt })
  }

  async #heal(target: string | undefined): Promise<ActionResult> {
    const names = this.#processes.map(({ node }) => node.name)
    if (target?.split(',').includes('leader')) this.#see(await askLeadership(this.#urls()))
    const groups = target === undefined ? null : groupsOf({ target }, names, this.leader)
    if (groups !== null && 'message' in groups) return { ok: false, action: 'heal', ...groups }
    const healed = (groups?.some ?? names).filter((name) => this.cutOff(name).length > 0)
    if (healed.length === 0) {
      return refuse(
        'heal',
        target === undefined ? 'no node is cut off' : `${target} is not cut off`,
      )
    }
    const around = [...new Set(healed.flatMap((name) => [name, ...this.cutOff(name)]))]
    for (const name of healed) this.#options.relays?.heal(name)
    this.#emit({ event: 'healed', nodes: healed })
    const running = this.#running().map(({ node }) => node.name)
    const late = await this.#untilReady(around.filter((name) => running.includes(name)))
    return { ok: true, action: 'heal', nodes: this.#named(healed), ...remarkOn(late) }
  }

  async #withNewLeader(
    result: Extract<ActionResult, { ok: true }>,
    { oldLeader, term, startedAt }: { oldLeader: string; term: number; startedAt: number },
  ): Promise<ActionResult> {
    const found = await this.#findNewLeader(oldLeader, term)
    return {
      ...result,
      oldLeader,
      newLeader: found,
      // A stop waits for the drain first: what it would show is not an election.
      ...(found === null || result.action === 'stop'
        ? {}
        : { leaderAfterMs: Math.round(performance.now() - startedAt) }),
    }
  }

  /** Asks the nodes that run until another one leads; `null` if none does within bounds. */
  async #findNewLeader(old: string, oldTerm: number): Promise<string | null> {
    const deadline = performance.now() + NEW_LEADER_MS
    const isMajority = () => this.#running().some(({ node }) => this.#reachesMajority(node.name))
    while (isMajority() && performance.now() < deadline && this.#stopping === null) {
      const now = await askLeadership(this.#running().map(({ node }) => node.url))
      if (now.leader !== null && now.leader !== old && now.term > oldTerm) {
        this.#see(now)
        return now.leader
      }
      await delay(SEARCH_MS)
    }
    return null
  }

  async #bringUp(chosen: readonly NodeProcess[]): Promise<ActionResult> {
    for (const one of chosen) {
      one.start()
      this.#emit({ event: 'started', node: one.node.name, pid: one.pid ?? 0 })
    }
    const late = await this.#untilReady(chosen.map(({ node }) => node.name))
    const dead = chosen.find(({ state }) => state === 'down')
    if (dead !== undefined) {
      return refuse('start', `${dead.node.name} ended while starting; see ${dead.node.logFile}`)
    }
    return { ok: true, action: 'start', nodes: chosen.map(named), ...remarkOn(late) }
  }

  /** Waits, within bounds, until those of the nodes are ready that can be; returns which are not. */
  async #untilReady(names: readonly string[]): Promise<readonly string[]> {
    const deadline = performance.now() + START_MS
    for (;;) {
      const now = await askLeadership(this.#urls())
      this.#see(now)
      const late = names.filter((name) => !now.ready.includes(name))
      const isDown = this.#processes.some(
        ({ node, state }) => state === 'down' && late.includes(node.name),
      )
      // Who is cut off is not waited for: nothing but a heal makes it ready.
      const isPossible = late.some((name) => this.#reachesMajority(name))
      if (isDown || !isPossible || performance.now() > deadline) return late
      await delay(50)
    }
  }

  /** Whether it has connections with a majority, itself included. */
  #reachesMajority(name: string): boolean {
    const cutOff = this.cutOff(name)
    const reached = this.#running().filter(({ node }) => !cutOff.includes(node.name))
    return reached.length > this.#processes.length / 2
  }

  #named(names: readonly string[]): { id: string; pid: number | null }[] {
    return this.#processes.filter(({ node }) => names.includes(node.name)).map(named)
  }

  #running(): readonly NodeProcess[] {
    return this.#processes.filter(({ state }) => state === 'running')
  }

  /** Only of processes that could answer: a paused one costs the whole time limit. */
  #urls(): string[] {
    return this.#running().map(({ node }) => node.url)
  }

  #isUnknown(target: string | undefined): boolean {
    if (target === undefined || target === 'leader') return false
    return !this.#processes.some(({ node }) => node.name === target)
  }

  #emit(event: DevEvent): void {
    this.#options.onEvent(event)
  }
}

function named({ node, pid }: NodeProcess): { id: string; pid: number | null } {
  return { id: node.name, pid }
}

function remarkOn(late: readonly string[]): { readonly remark?: string } {
  return late.length === 0 ? {} : { remark: `${late.join(', ')} not ready yet` }
}

function refuse(action: DevAction, message: string, usage = false): ActionResult {
  return { ok: false, action, message, usage }
}
