import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessCluster } from '../processes/process-cluster.ts'
import { type Frame, WireClient } from '../workload/wire-client.ts'

/** No answer by then: somebody else may have it. */
const ANSWER_MS = 3_000

/**
 * A client that gets its requests answered whatever dies: repeats each, on another node if need be,
 * until the cluster says yes or a final no. Writes keep their msgId, so they are stored once.
 */
export class SteadyClient {
  readonly #cluster: ProcessCluster
  readonly #user: string
  readonly #device: string
  #at: number
  #client: WireClient | null = null

  constructor(cluster: ProcessCluster, user: string, firstNode = 0) {
    this.#cluster = cluster
    this.#user = user
    this.#device = `${user}-${firstNode}`
    this.#at = firstNode
  }

  /** Throws the code of a final refusal. */
  async ask(frame: { t: string; [field: string]: unknown }, limitMs = 60_000): Promise<Frame> {
    const deadline = performance.now() + limitMs
    for (;;) {
      const answer = await this.#try(frame)
      if (answer !== null && answer.error === undefined) return answer
      if (answer?.error?.retryable === false) throw new Error(`${frame.t}: ${answer.error.code}`)
      if (performance.now() > deadline) throw new Error(`${frame.t} was not answered in time`)
      await sleep(20 + Math.random() * 30)
    }
  }

  close(): void {
    this.#client?.close()
  }

  async #try(frame: { t: string; [field: string]: unknown }): Promise<Frame | null> {
    const { nodes } = this.#cluster
    try {
      if (this.#client === null || this.#client.isClosed) {
        const { url } = nodes[this.#at % nodes.length]!
        this.#client = await WireClient.connect(url, this.#user, this.#device, {
          openMs: ANSWER_MS,
        })
      }
    } catch {
      this.#at += 1
      return null
    }
    const answer = await this.#client.request(frame, ANSWER_MS)
    if (answer === null) {
      this.#client.close()
      this.#at += 1
    }
    return answer
  }
}
