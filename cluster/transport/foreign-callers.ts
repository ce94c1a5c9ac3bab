import type { Clock } from '../ports.ts'
import type { PeerHello } from './peer-hello.ts'

/** Who is refused dials again every second. */
const FORGET_MS = 10_000
/** More than members, less than anybody can fill. */
const MAX_NAMES = 64

/** A node that dials this one and is of another cluster. */
export interface ForeignCaller {
  readonly name: string
  readonly clusterId: string
}

/** Nodes of other clusters that take this one for a member of theirs, for as long as they do. */
export class ForeignCallers {
  readonly #clock: Clock
  /** By name, when it dialled last, the oldest first. */
  readonly #seen = new Map<string, { readonly clusterId: string; readonly atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  refused({ name, clusterId }: PeerHello): void {
    this.#seen.delete(name)
    this.#seen.set(name, { clusterId, atMs: this.#clock.monotonicMs() })
    const [oldest] = this.#seen.keys()
    if (this.#seen.size > MAX_NAMES) this.#seen.delete(oldest!)
  }

  /** It was let in: what it was before counts no more. */
  letIn({ name }: PeerHello): void {
    this.#seen.delete(name)
  }

  list(): ForeignCaller[] {
    const since = this.#clock.monotonicMs() - FORGET_MS
    return [...this.#seen].flatMap(([name, { clusterId, atMs }]) =>
      atMs < since ? [] : { name, clusterId },
    )
  }
}
