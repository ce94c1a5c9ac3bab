import type { RaftId } from '#cluster'
import { KeyHash } from '../state-machine/key-hash.ts'

/** More points share the keys more evenly: with 128 the busiest of five nodes has about a quarter. */
const POINTS_PER_NODE = 128

/**
 * Consistent hashing (Karger et al., 1997): each node stands at many points of a ring of 32-bit
 * hashes, and a key belongs to the first point at or after its own hash. A node that comes or goes
 * moves only the keys that it has: the same nodes give the same ring everywhere.
 */
export class RouteRing {
  readonly nodes: readonly RaftId[]
  readonly #points: readonly { readonly at: number; readonly node: RaftId }[]
  readonly #hash = new KeyHash()

  constructor(nodes: readonly RaftId[]) {
    this.nodes = nodes
    this.#points = nodes
      .flatMap((node) =>
        Array.from({ length: POINTS_PER_NODE }, (_, point) => ({
          at: this.#hashOf(`${node}/${point}`),
          node,
        })),
      )
      .sort((a, b) => a.at - b.at || (a.node < b.node ? -1 : 1))
  }

  /** `null` only of a ring without nodes. */
  nodeOf(key: string): RaftId | null {
    const hash = this.#hashOf(key)
    let from = 0
    let to = this.#points.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#points[middle]!.at < hash) from = middle + 1
      else to = middle
    }
    return (this.#points[from] ?? this.#points[0])?.node ?? null
  }

  #hashOf(text: string): number {
    return this.#hash.start(0x5197, 0xa1c3).text(text).finish().high
  }
}
