import { featureEvent, type FeedPage } from '../history/features.ts'
import type { History } from '../history/history.ts'
import type { Prng } from '../prng.ts'
import type { SimClients, SimHttpAnswer } from '../simulation/sim-clients.ts'
import type { FeatureOperation } from './feature-operation.ts'

interface BackendOptions {
  readonly device: string
  readonly addresses: readonly string[]
}

type FeedAnswer = { [name: string]: unknown } & {
  readonly events: readonly (Record<string, unknown> & { conv: string; cursor: string })[]
  readonly next: string
  readonly hasMore: boolean
  readonly gap: { readonly events: number } | null
}

/**
 * A backend that speaks HTTP: follows the feed of all conversations by its cursor from node to node,
 * changes settings, has what users said erased. What an operator asked for he asks until it is done.
 */
export class FeatureBackend {
  readonly options: BackendOptions
  readonly #clients: SimClients
  readonly #prng: Prng
  readonly #history: History
  readonly #later: (delayMs: number, run: () => void) => void
  #cursor: string | null = null
  #isReading = false
  /** Of what an operator asked for. */
  unsettled = 0

  constructor(
    options: BackendOptions,
    parts: {
      clients: SimClients
      prng: Prng
      history: History
      later: (delayMs: number, run: () => void) => void
    },
  ) {
    this.options = options
    this.#clients = parts.clients
    this.#prng = parts.prng
    this.#history = parts.history
    this.#later = parts.later
  }

  perform(operation: FeatureOperation): boolean {
    switch (operation.kind) {
      case 'feed':
        return this.#follow(operation.limit)
      case 'settings':
        this.#insist('/v1/cluster/settings', operation.changes, () => {})
        return true
      case 'erase':
        return this.#erase(operation.user)
      default:
        return false
    }
  }

  /** One page after the cursor; `null`: none came. */
  read(
    reader: string,
    after: string | null,
    options: { limit: number; final: boolean; address: string },
    done: (page: FeedPage | null) => void,
  ): void {
    const { limit, final, address: node } = options
    const query = after === null ? `limit=${limit}` : `after=${after}&limit=${limit}`
    this.#call(node, { method: 'GET', path: '/v1/events', query, body: null }, (answer) => {
      if (answer?.status !== 200) return done(null)
      const { events, next, hasMore, gap } = JSON.parse(answer.body) as FeedAnswer
      const page: FeedPage = {
        ...{ reader, node, after, next, hasMore, final, missed: gap?.events ?? 0 },
        answered: this.#history.moment(),
        events: events.map((wire) => {
          return { ...featureEvent(wire), conv: wire.conv, cursor: wire.cursor }
        }),
      }
      this.#history.features.feed.push(page)
      done(page)
    })
  }

  /** Whose erasure is not done, as the node says; `null`: it did not say. */
  erasing(address: string, done: (users: readonly string[] | null) => void): void {
    const call = { method: 'GET', path: '/v1/cluster/erasures', query: '', body: null }
    this.#call(address, call, (answer) => {
      if (answer?.status !== 200) done(null)
      else done((JSON.parse(answer.body) as { users: string[] }).users)
    })
  }

  #follow(limit: number): boolean {
    if (this.#isReading) return false
    this.#isReading = true
    const address = this.#prng.pick(this.options.addresses)
    const options = { limit, final: false, address }
    this.read(this.options.device, this.#cursor, options, (page) => {
      this.#isReading = false
      if (page !== null) this.#cursor = page.next
    })
    return true
  }

  #erase(user: string): boolean {
    const { erasures } = this.#history.features
    if (erasures.some((one) => one.user === user)) return false
    const record = { user, invoked: this.#history.moment(), answered: Infinity }
    erasures.push(record)
    this.#insist('/v1/cluster/erasures', { user }, () => {
      record.answered = this.#history.moment()
    })
    return true
  }

  /** These change nothing when they come twice. */
  #insist(path: string, value: object, done: () => void): void {
    this.unsettled += 1
    const attempt = () => {
      const address = this.#prng.pick(this.options.addresses)
      const body = JSON.stringify(value)
      this.#call(address, { method: 'POST', path, query: '', body }, (answer) => {
        if (answer === null || answer.status >= 500 || answer.status === 429) {
          this.#later(100, attempt)
          return
        }
        this.unsettled -= 1
        if (answer.status === 200) done()
        else throw new Error(`${path} ${body} was answered ${answer.status} ${answer.body}`)
      })
    }
    attempt()
  }

  #call(
    address: string,
    call: { method: string; path: string; query: string; body: string | null },
    done: (answer: SimHttpAnswer | null) => void,
  ): void {
    this.#clients.call(this.options.device, address, call, done)
  }
}
