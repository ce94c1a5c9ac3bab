import { setTimeout as sleep } from 'node:timers/promises'
import { ChatClient } from '#client'
import { WireClient } from '../workload/wire-client.ts'

export interface LoadReport {
  readonly sent: number
  /** Sends that the SDK gave up, or was refused. */
  readonly failures: readonly string[]
  /** Messages per second, over the whole time. */
  readonly perSecond: number
  /** The longest time in which no user saw a tick. */
  readonly longestGapMs: number
  /** The slowest single tick. */
  readonly slowestMs: number
}

/** Users who send on and on over the SDK, each to a friend of his own, whatever happens to the nodes. */
export class SteadyLoad {
  readonly #clients: ChatClient[]
  readonly #everyMs: number
  readonly #failures: string[] = []
  readonly #sent: number[]
  readonly #underWay = new Set<Promise<void>>()
  readonly #startedMs = performance.now()
  readonly #loops: Promise<void>[]
  #isOver = false
  #lastTickMs = performance.now()
  #longestGapMs = 0
  #slowestMs = 0

  private constructor(clients: ChatClient[], everyMs: number) {
    this.#clients = clients
    this.#everyMs = everyMs
    this.#sent = clients.map(() => 0)
    this.#loops = clients.map((_, at) => this.#send(at))
  }

  static async start(urls: readonly string[], users: number, everyMs: number): Promise<SteadyLoad> {
    const clients = await Promise.all(
      Array.from({ length: users }, (_, at) => {
        const own = [...urls.slice(at % urls.length), ...urls.slice(0, at % urls.length)]
        return ChatClient.connect({ urls: own, user: `u${at}`, device: `u${at}-phone` })
      }),
    )
    return new SteadyLoad(clients, everyMs)
  }

  /** Ticks so far. */
  get ticks(): number {
    return this.#sent.reduce((sum, count) => sum + count, 0) - this.#underWay.size
  }

  /** Resolves when all that was sent has its tick, or was given up. */
  async stop(): Promise<LoadReport> {
    this.#isOver = true
    await Promise.all(this.#loops)
    const elapsedMs = performance.now() - this.#startedMs
    await Promise.all(this.#underWay)
    for (const client of this.#clients) client.close()
    const sent = this.#sent.reduce((sum, count) => sum + count, 0)
    return {
      sent,
      failures: this.#failures,
      perSecond: Math.round((sent * 1_000) / elapsedMs),
      longestGapMs: Math.round(this.#longestGapMs),
      slowestMs: Math.round(this.#slowestMs),
    }
  }

  /** What is lost, doubled or out of order in the conversations, as a fresh client reads them; none: nothing. */
  async faults(url: string): Promise<string[]> {
    const found: string[] = []
    for (const [at, count] of this.#sent.entries()) {
      const reader = await WireClient.connect(url, `u${at}`, 'reader')
      const { conv } = await reader.say({ to: `f${at}` }, 'last', -1)
      const bodies: number[] = []
      for (let after = 0; ;) {
        const page = await reader.ask({
          t: 'pull:R',
          conv,
          after,
          limit: 500,
          read: 'linearizable',
        })
        for (const { body, kind } of page.events as { body: number; kind: string }[]) {
          if (kind === 'message' && body >= 0) bodies.push(body)
        }
        after = page.next
        if (!page.hasMore) break
      }
      await reader.leave()
      const wanted = Array.from({ length: count }, (_, n) => n)
      const wrong = wanted.findIndex((body, n) => bodies[n] !== body)
      if (wrong >= 0 || bodies.length !== count) {
        const around = bodies.slice(Math.max(0, wrong - 2), wrong + 3).join(' ')
        found.push(`u${at}: ${bodies.length} of ${count}, first wrong at ${wrong}: ${around}`)
      }
    }
    return found
  }

  async #send(at: number): Promise<void> {
    const room = this.#clients[at]!.direct(`f${at}`)
    while (!this.#isOver) {
      const since = performance.now()
      const body = this.#sent[at]!
      this.#sent[at] = body + 1
      const tick = room.send(body).sent.then(
        () => this.#ticked(since),
        (error: Error) => void this.#failures.push(`u${at} ${body}: ${error.message}`),
      )
      this.#underWay.add(tick)
      void tick.then(() => this.#underWay.delete(tick))
      await sleep(this.#everyMs)
    }
  }

  #ticked(since: number): void {
    const now = performance.now()
    this.#slowestMs = Math.max(this.#slowestMs, now - since)
    this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastTickMs)
    this.#lastTickMs = now
  }
}
