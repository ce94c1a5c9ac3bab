import { setTimeout as sleep } from 'node:timers/promises'
import { type Frame, WireClient } from '../workload/wire-client.ts'

interface Event {
  readonly seq: number
  readonly from: string
  readonly msgId: string
}

export interface TravellerOptions {
  readonly conv: string
  readonly user: string
  readonly device: string
  /** Leaves even the mark behind: it may be shown anything then. @default false */
  readonly forgetful?: boolean
}

/**
 * One device that goes from node to node and takes nothing with it but the newest mark. Throws when
 * a node shows it an older view than it had before.
 */
export class Traveller {
  readonly #options: TravellerOptions
  readonly #own = new Map<number, string>()
  #client: WireClient | null = null
  #epoch = ''
  #mark: string | null = null
  #seen = 0
  #sent = 0
  /** Refusals of a node that is not as far as the mark. */
  behind = 0

  constructor(options: TravellerOptions) {
    this.#options = options
  }

  /** The highest seq that it was shown or that was acknowledged to it. */
  get seen(): number {
    return this.#seen
  }

  /** Leaves its node, and is let in by that one, which may refuse as long as it is behind. */
  async move(url: string, timeoutMs = 60_000): Promise<void> {
    this.#leave()
    const { user, device } = this.#options
    const resume = { epoch: this.#epoch, inbox: 0, mark: this.#mark }
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const client = await WireClient.open(url).catch(() => null)
      const answer = await client?.request({
        ...{ t: 'hello:R', v: [1, 1], user, device },
        ...(this.#mark === null ? {} : { resume }),
      })
      if (client && answer && answer.error === undefined) {
        this.#epoch = answer['epoch'] as string
        client.onPush((frame) => this.#pushed(frame))
        this.#client = client
        return
      }
      client?.close()
      this.#refused(answer ?? null)
      if (performance.now() > deadline) throw new Error(`${url} lets nobody in`)
      await sleep(20)
    }
  }

  /** Sends one message until it is acknowledged. */
  async send(timeoutMs = 60_000): Promise<void> {
    this.#sent += 1
    const { conv, device } = this.#options
    const msgId = `${device}-${this.#sent}`
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const answer = await this.#connected().request({ t: 'msg:R', conv, msgId, body: msgId })
      if (answer !== null && answer.error === undefined) {
        this.#own.set(answer['seq'] as number, msgId)
        this.#seen = Math.max(this.#seen, answer['seq'] as number)
        return
      }
      if (answer?.error?.retryable !== true || performance.now() > deadline) {
        throw new Error(`not sent: ${JSON.stringify(answer)}`)
      }
      await sleep(20)
    }
  }

  /** Reads from its first own message on, and finds all of them and all that it had seen. */
  async read(): Promise<void> {
    const due = this.#seen
    const own = new Map(this.#own)
    const found = new Map<number, Event>()
    for (let after = Math.min(...own.keys(), due) - 1; ;) {
      const { conv } = this.#options
      const page = await this.#connected().request({ t: 'pull:R', conv, after, limit: 1000 })
      if (page === null || page.error !== undefined) {
        this.#refused(page)
        await sleep(20)
        continue
      }
      for (const event of page['events'] as Event[]) found.set(event.seq, event)
      after = page['next'] as number
      if (page['hasMore'] === true) continue
      const upTo = page['upTo'] as number
      if (upTo < due) throw new Error(`an older view: it ends at #${upTo}, #${due} had been shown`)
      this.#seen = Math.max(this.#seen, upTo)
      break
    }
    for (const [seq, msgId] of own) {
      if (found.get(seq)?.msgId !== msgId) throw new Error(`its own ${msgId} is not at #${seq}`)
    }
  }

  close(): void {
    this.#leave()
  }

  #leave(): void {
    if (this.#client === null) return
    if (this.#options.forgetful !== true) this.#mark = this.#client.mark
    this.#client.close()
    this.#client = null
  }

  #connected(): WireClient {
    if (this.#client === null || this.#client.isClosed) throw new Error('the connection ended')
    return this.#client
  }

  #pushed(frame: { t: string; [field: string]: unknown }): void {
    if (frame.t !== 'msg:N' || frame['conv'] !== this.#options.conv) return
    this.#seen = Math.max(this.#seen, frame['seq'] as number)
  }

  /** Anything final would be a lie: the node only has to catch up. */
  #refused(answer: Frame | null): void {
    if (answer === null) return
    if (answer.error?.retryable !== true) throw new Error(`refused: ${JSON.stringify(answer)}`)
    if (answer.error.code === 'BEHIND') this.behind += 1
  }
}
