import { setTimeout as sleep } from 'node:timers/promises'
import { ChatClient, type Conversation } from '#client'
import type { ProcessCluster } from '../chaos/processes/process-cluster.ts'
import { WireClient } from '../chaos/workload/wire-client.ts'

/** A little of everything: messages with receipts, a group with a policy, signals, devices that come and go. */
export class SmallLoad {
  readonly #cluster: ProcessCluster
  readonly #alice: ChatClient
  readonly #bob: ChatClient
  readonly #conversations: readonly Conversation[]
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  private constructor(
    cluster: ProcessCluster,
    clients: { alice: ChatClient; bob: ChatClient; group: Conversation },
  ) {
    this.#cluster = cluster
    this.#alice = clients.alice
    this.#bob = clients.bob
    this.#conversations = [clients.alice.direct('bob'), clients.group]
  }

  static async start(cluster: ProcessCluster): Promise<SmallLoad> {
    const urls = cluster.nodes.map(({ url }) => url)
    const alice = await ChatClient.connect({ urls, user: 'alice', device: 'a' })
    const bob = await ChatClient.connect({ urls, user: 'bob', device: 'b' })
    const group = await alice.createGroup({ members: ['bob'] })
    await group.set({ retention: { maxCount: 3 } })
    const load = new SmallLoad(cluster, { alice, bob, group })
    load.#running = load.#run()
    return load
  }

  async close(): Promise<void> {
    this.#stopped = true
    await this.#running
    this.#alice.close()
    this.#bob.close()
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      for (const conversation of this.#conversations) conversation.send(`hello ${turn}`)
      // A node that was killed takes no visitor.
      if (turn % 3 === 0) await this.#visit(turn).catch(() => undefined)
      await sleep(100)
    }
  }

  /** Another device of Bob, that asks for his inbox and says that he types. */
  async #visit(turn: number): Promise<void> {
    const nodes = this.#cluster.running
    const { url } = nodes[turn % nodes.length]!
    const visitor = await WireClient.connect(url, 'bob', 'visitor')
    try {
      await visitor.request({ t: 'sync:R', after: 0, limit: 50 })
      const body = { on: true }
      await visitor.request({ t: 'signal:R', to: 'alice', name: 'typing', body, n: 1, ttlMs: 500 })
    } finally {
      visitor.close()
    }
  }
}
