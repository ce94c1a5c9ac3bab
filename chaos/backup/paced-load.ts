import { setTimeout as sleep } from 'node:timers/promises'
import { WireClient } from '../workload/wire-client.ts'

const LANES = 20
const TICK_MS = 10

/** One message that the cluster called sent. */
export interface Acknowledged {
  readonly conv: string
  readonly seq: number
  readonly msgId: string
  readonly body: string
  /** `performance.now()` when the answer came. */
  readonly atMs: number
}

/**
 * Messages at a rate, whatever the answers do: a delay is measured from when the message was due, so
 * that a node that stalls cannot hide it by holding up those that come after.
 */
export class PacedLoad {
  readonly acknowledged: Acknowledged[] = []
  readonly #clients: readonly WireClient[]
  readonly #perSecond: number
  readonly #delays: { readonly dueMs: number; readonly delayMs: number }[] = []
  readonly #waiting = new Set<Promise<void>>()
  #running: Promise<void> | null = null
  #stopping = false
  #count = 0

  private constructor(clients: readonly WireClient[], perSecond: number) {
    this.#clients = clients
    this.#perSecond = perSecond
  }

  static async connect(urls: readonly string[], perSecond: number): Promise<PacedLoad> {
    const lanes = Array.from({ length: LANES }, (_, lane) =>
      WireClient.connect(urls[lane % urls.length]!, `load${lane}`, 'd', {
        subprotocol: 'parley.v1.msgpack',
        mode: 'notify',
      }),
    )
    return new PacedLoad(await Promise.all(lanes), perSecond)
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Resolves when everything sent is answered. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
    await Promise.all(this.#waiting)
    for (const client of this.#clients) client.close()
  }

  /** The delay in ms that 99 of 100 messages due in this time kept below. */
  p99(fromMs: number, untilMs: number): number {
    const delays = this.#delays
      .filter(({ dueMs }) => dueMs >= fromMs && dueMs < untilMs)
      .map(({ delayMs }) => delayMs)
      .sort((a, b) => a - b)
    return delays[Math.floor(delays.length * 0.99)] ?? 0
  }

  async #run(): Promise<void> {
    const sinceMs = performance.now()
    while (!this.#stopping) {
      const due = Math.floor(((performance.now() - sinceMs) / 1_000) * this.#perSecond)
      while (this.#count < due) {
        const dueMs = sinceMs + (this.#count / this.#perSecond) * 1_000
        const sent = this.#send(this.#count, dueMs)
        this.#count += 1
        this.#waiting.add(sent)
        void sent.finally(() => this.#waiting.delete(sent))
      }
      await sleep(TICK_MS)
    }
  }

  async #send(n: number, dueMs: number): Promise<void> {
    const lane = n % LANES
    const msgId = `load-${n}`
    const body = `${n} `.padEnd(300, 'x')
    const answer = await this.#clients[lane]!.say({ to: `load${(lane + 1) % LANES}` }, msgId, body)
    const atMs = performance.now()
    this.#delays.push({ dueMs, delayMs: atMs - dueMs })
    const { conv, seq } = answer as unknown as { conv: string; seq: number }
    this.acknowledged.push({ conv, seq, msgId, body, atMs })
  }
}
