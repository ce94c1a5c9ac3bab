import { setTimeout as delay } from 'node:timers/promises'
import { type ClusterView, fetchView } from '../cluster/cluster-view.ts'
import type { NodeControl, NodeState } from './node-control.ts'
import type { TestCluster, TestTokenOptions } from './test-cluster.ts'
import { signToken } from './test-token.ts'

export interface ControlledClusterOptions {
  readonly nodes: readonly NodeControl[]
  /** What its tokens are signed with. */
  readonly secret: string
  /** Ends what is left and removes all that the cluster had made. */
  readonly close: () => Promise<void>
}

const PATIENCE_MS = 60_000
const LOOK_MS = 25
const ANSWER_MS = 2_000

/** @throws RangeError if no cluster of so many nodes can be had */
export function checkNodes(count: number): void {
  if (Number.isSafeInteger(count) && count >= 1 && count <= 9) return
  throw new RangeError(`nodes must be from 1 to 9, not ${count}`)
}

/** What a test does to a cluster, over nodes of any kind. */
export class ControlledCluster implements TestCluster {
  readonly #options: ControlledClusterOptions
  /** The last change that was asked for: each waits for the one before. */
  #last: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | null = null

  private constructor(options: ControlledClusterOptions) {
    this.#options = options
  }

  /** Starts all nodes and resolves when they take writes; nothing is left behind if that fails. */
  static async started(options: ControlledClusterOptions): Promise<TestCluster> {
    const cluster = new ControlledCluster(options)
    try {
      await cluster.startAll()
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  get nodes(): readonly NodeControl[] {
    return this.#options.nodes
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url)
  }

  tokenFor(user: string, options: TestTokenOptions = {}): Promise<string> {
    return signToken(this.#options.secret, user, options)
  }

  async leader(): Promise<string> {
    const views = await this.#agreeing()
    return views[0]!.leader!
  }

  async ready(): Promise<void> {
    await this.#agreeing()
  }

  stopNode(name: string): Promise<void> {
    return this.#change(name, ['running'], (node) => node.stop())
  }

  killNode(name: string): Promise<void> {
    return this.#change(name, ['running', 'paused'], (node) => node.kill())
  }

  pauseNode(name: string): Promise<void> {
    return this.#change(name, ['running'], (node) => node.pause())
  }

  resumeNode(name: string): Promise<void> {
    return this.#change(name, ['paused'], (node) => node.resume())
  }

  startNode(name: string): Promise<void> {
    return this.#change(name, ['down'], async (node) => {
      await node.start()
      await this.#answers(node)
    })
  }

  async restartLeader(): Promise<string> {
    const name = await this.leader()
    await this.stopNode(name)
    await this.startNode(name)
    await this.ready()
    return name
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#last.then(() => this.#options.close())
    return this.#closed
  }

  /** Starts all nodes, and waits until they are one cluster. */
  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()))
    await this.ready()
  }

  #change(
    name: string,
    fits: readonly NodeState[],
    act: (node: NodeControl) => Promise<void>,
  ): Promise<void> {
    const done = this.#last.then(async () => {
      if (this.#closed !== null) throw new Error('the cluster is closed')
      const node = this.nodes.find((one) => one.name === name)
      if (node === undefined) {
        const names = this.nodes.map((one) => one.name).join(', ')
        throw new Error(`there is no node ${name}: there are ${names}`)
      }
      const state = await node.state()
      if (!fits.includes(state)) throw new Error(`${name} is ${state}, not ${fits.join(' or ')}`)
      await act(node)
    })
    this.#last = done.catch(() => {})
    return done
  }

  async #answers(node: NodeControl): Promise<void> {
    await this.#until(async () => {
      await this.#mustRun(node)
      const said = await fetch(new URL('/livez', node.url), {
        signal: AbortSignal.timeout(ANSWER_MS),
      }).then(
        async (response) => (await response.arrayBuffer(), response.ok),
        () => false,
      )
      return said || null
    })
  }

  /** What the nodes that run say, once all are ready and name the same leader. */
  #agreeing(): Promise<readonly ClusterView[]> {
    return this.#until(async () => {
      const states = await Promise.all(this.nodes.map((node) => node.state()))
      const up = this.nodes.filter((_, at) => states[at] === 'running')
      if (up.length === 0) throw new Error('no node is running: startNode starts one')
      const views = (await this.#views(up)).filter((view) => view !== null)
      const leaders = new Set(views.map(({ leader }) => leader))
      const agree = leaders.size === 1 && !leaders.has(null)
      return agree && views.length === up.length && views.every(({ ready }) => ready) ? views : null
    })
  }

  async #views(nodes: readonly NodeControl[]): Promise<(ClusterView | null)[]> {
    const headers = { authorization: `Bearer ${await this.tokenFor('tests', { role: 'admin' })}` }
    return Promise.all(nodes.map(({ url }) => fetchView(url, ANSWER_MS, headers)))
  }

  async #mustRun(node: NodeControl): Promise<void> {
    if ((await node.state()) !== 'down') return
    throw new Error(`${node.name} ended while starting:\n${await node.lastLines()}`)
  }

  async #until<Found>(look: () => Promise<Found | null>): Promise<Found> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const found = await look()
      if (found !== null) return found
      if (performance.now() > deadline) {
        throw new Error(`not ready after ${PATIENCE_MS / 1_000} s:\n${await this.#describe()}`)
      }
      await delay(LOOK_MS)
    }
  }

  async #describe(): Promise<string> {
    const views = await this.#views(this.nodes)
    const lines = this.nodes.map(async (node, at) => {
      const { ready, leader, term, reasons } = views[at] ?? {}
      const said =
        views[at] === null ? 'no answer' : JSON.stringify({ ready, leader, term, reasons })
      return `${node.name} (${await node.state()}): ${said}\n${await node.lastLines()}`
    })
    return (await Promise.all(lines)).join('\n')
  }
}
