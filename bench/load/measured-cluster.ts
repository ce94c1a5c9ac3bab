import { mkdir } from 'node:fs/promises'
import { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { messagesApplied } from './messages-applied.ts'

/** Three real nodes for a measurement. */
export class MeasuredCluster {
  readonly #cluster: ProcessCluster

  private constructor(cluster: ProcessCluster) {
    this.#cluster = cluster
  }

  static async start(directory: string, size = 3): Promise<MeasuredCluster> {
    await mkdir(directory, { recursive: true })
    const cluster = await ProcessCluster.create(size, directory)
    await cluster.startAll({ env: { NODE_ENV: 'production', PARLEY_LOG_LEVEL: 'warn' } })
    await cluster.healthy()
    return new MeasuredCluster(cluster)
  }

  get pids(): number[] {
    return this.#cluster.running.map(({ process }) => process!.pid!)
  }

  async leaderUrl(): Promise<string> {
    return this.#cluster.node(await this.#cluster.healthy()).url
  }

  /**
   * Every node must have applied the same and count at least what was acknowledged. Gives how many
   * messages each node holds.
   */
  async verify(stored: number): Promise<number> {
    await this.#cluster.converged(60_000)
    const counts = await Promise.all(this.#cluster.nodes.map(({ url }) => messagesApplied(url)))
    const hashes = await Promise.all(
      this.#cluster.nodes.map(
        async ({ name }) => (await this.#cluster.state(name))?.stateHash ?? 'none',
      ),
    )
    const equal = new Set(hashes).size === 1 && new Set(counts).size === 1
    if (!equal || !(counts[0]! >= stored)) {
      throw new Error(
        `store not as acknowledged: ${stored} sent, nodes hold ${counts.join()} (${hashes.join()})`,
      )
    }
    return counts[0]!
  }

  async stop(): Promise<void> {
    await this.#cluster.close()
  }
}
