import { ChatClient } from '../client.ts'
import type { ChatOptions } from '../options.ts'
import { FakeCluster } from './fake-cluster.ts'
import { SeededRandom, VirtualClock } from './virtual-clock.ts'

/** A cluster, a clock and clients of it, all from one seed. */
export class Harness {
  readonly clock = new VirtualClock()
  readonly cluster: FakeCluster
  readonly #seed: number

  constructor(seed = 1) {
    this.#seed = seed
    this.cluster = new FakeCluster(this.clock, new SeededRandom(seed))
  }

  options(user: string, more: Partial<ChatOptions> = {}): ChatOptions {
    return {
      urls: this.cluster.urls,
      user,
      device: `${user}-phone`,
      ports: {
        clock: this.clock,
        random: new SeededRandom(this.#seed + user.length * 31),
        openSocket: this.cluster.openSocket,
      },
      ...more,
    }
  }

  async connect(user: string, more: Partial<ChatOptions> = {}): Promise<ChatClient> {
    const connecting = ChatClient.connect(this.options(user, more))
    // It may be refused before anyone awaits it.
    connecting.catch(() => {})
    await this.clock.advance(20)
    return connecting
  }

  /** What the promise gives within `ms` of virtual time, or an error that says it did not. */
  async within<Value>(ms: number, promise: Promise<Value>): Promise<Value> {
    let outcome: { value: Value } | { error: unknown } | null = null
    promise.then(
      (value) => (outcome = { value }),
      (error: unknown) => (outcome = { error }),
    )
    for (let waited = 0; outcome === null && waited < ms; waited += 10) await this.clock.advance(10)
    const result = outcome as { value: Value } | { error: unknown } | null
    if (result === null) throw new Error(`nothing within ${ms} ms`)
    if ('error' in result) throw result.error
    return result.value
  }
}

/** Collects a stream in the background. */
export function collect<Item>(stream: AsyncIterable<Item>): { items: Item[]; done: Promise<void> } {
  const items: Item[] = []
  const done = (async () => {
    for await (const item of stream) items.push(item)
  })()
  done.catch(() => {})
  return { items, done }
}

/** Of what was collected so far. */
export const seqs = (stream: { readonly items: readonly { readonly seq: number }[] }): number[] =>
  stream.items.map(({ seq }) => seq)

/** So many numbers, from 1 if not told. */
export const upTo = (count: number, from = 1): number[] =>
  Array.from({ length: count }, (_, i) => from + i)

/** How a type of request came to the nodes, each time, in order. */
export const asked = <Frame>({ requests }: FakeCluster, type: string): Frame[] =>
  requests.flatMap(({ frame }) => (frame.t === type ? [frame as Frame] : []))
