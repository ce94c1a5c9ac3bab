import type { Clock, Logger, RaftId, Replica, Timer } from '#cluster'
import { handLeadershipOn } from './hand-leadership-on.ts'

const DRAIN = {
  /** Leadership is handed on within this, or kept: then nobody could take it. */
  leadershipMs: 3_000,
  /** How often it is looked at, and tried again. */
  lookMs: 50,
  againMs: 500,
  /** A drained node that was elected all the same hands leadership on by then. */
  watchMs: 1_000,
  /** Whoever was sent away and has not come back anywhere by then is gone. */
  settledMs: 10_000,
} as const

/** In this order; `serving`: it does not drain. */
export const DRAIN_PHASES = ['serving', 'leadership', 'clients', 'drained'] as const
export type DrainPhase = (typeof DRAIN_PHASES)[number]

/** How far a node is with sending everything elsewhere. */
export interface DrainView {
  readonly phase: DrainPhase
  /** Whether it still leads. */
  readonly leads: boolean
  /** Connections of clients. */
  readonly clients: number
  /** Writes that wait for their result here. */
  readonly writes: number
}

export interface NodeDrainHost {
  readonly clock: Clock
  readonly logger: Logger
  /** The process ends after the drain: nothing undoes it any more. */
  ending(): boolean
  replica(): Replica | null
  /** How well a peer would do with leadership; 0 not at all. */
  fitness(id: RaftId): number
  /** Resolves when all clients have gone. */
  sendClientsAway(timeoutMs: number): Promise<void>
  /** Clients are taken again. */
  takeClients(): void
  /** The phase is another one. */
  onPhase(phase: DrainPhase): void
  /** It has been drained for a while. */
  onSettled(): void
  counts(): Pick<DrainView, 'clients' | 'writes'>
}

/**
 * Sends away what a node has to itself, in the order in which nobody notices: no new clients, then
 * leadership, then the clients it has, each after its answers. What is left is a voter like any other.
 */
export class NodeDrain {
  readonly #host: NodeDrainHost
  #phase: DrainPhase = 'serving'
  /** What is under way was undone if this is no longer what it was. */
  #round = 0
  #done: Promise<void> | null = null
  #timer: Timer | null = null
  #closed = false

  constructor(host: NodeDrainHost) {
    this.#host = host
  }

  get phase(): DrainPhase {
    return this.#phase
  }

  view(): DrainView {
    return { phase: this.#phase, leads: this.#leads, ...this.#host.counts() }
  }

  /** Resolves once it is drained, or drains no more. Begun again it goes on as it is. */
  begin(timeoutMs: number): Promise<void> {
    this.#done ??= this.#run(timeoutMs, (this.#round += 1))
    return this.#done
  }

  undo(): void {
    if (this.#phase === 'serving' || this.#host.ending()) return
    this.#round += 1
    this.#done = null
    this.#timer?.cancel()
    this.#enter('serving')
    this.#host.takeClients()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  get #leads(): boolean {
    const replica = this.#host.replica()
    return replica !== null && replica.leader === replica.raftId
  }

  async #run(timeoutMs: number, round: number): Promise<void> {
    const { clock } = this.#host
    const isUnderWay = () => this.#round === round && !this.#closed
    this.#enter('leadership')
    const sinceMs = clock.monotonicMs()
    const leadershipMs = Math.min(timeoutMs, DRAIN.leadershipMs)
    let triedMs = -Infinity
    while (isUnderWay() && this.#leads && clock.monotonicMs() - sinceMs < leadershipMs) {
      if (clock.monotonicMs() - triedMs >= DRAIN.againMs) {
        if (!this.#handOn()) break
        triedMs = clock.monotonicMs()
      }
      await new Promise<void>((resolve) => void clock.after(DRAIN.lookMs, resolve))
    }
    if (!isUnderWay()) return
    this.#enter('clients')
    await this.#host.sendClientsAway(timeoutMs)
    if (!isUnderWay()) return
    this.#enter('drained')
    this.#watch(clock.monotonicMs() + DRAIN.settledMs)
  }

  #handOn(): boolean {
    return handLeadershipOn(this.#host.replica(), (id) => this.#host.fitness(id))
  }

  /** It stays a voter and may be elected; it hands that on to whoever takes it. */
  #watch(settledAtMs: number): void {
    const { clock } = this.#host
    this.#timer = clock.after(DRAIN.watchMs, () => {
      if (this.#leads) this.#handOn()
      const isSettled = clock.monotonicMs() >= settledAtMs
      if (isSettled) this.#host.onSettled()
      this.#watch(isSettled ? Infinity : settledAtMs)
    })
  }

  #enter(phase: DrainPhase): void {
    this.#phase = phase
    const { clients, writes, leads } = this.view()
    this.#host.logger.info('node.drain', { phase, clients, writes, leads })
    this.#host.onPhase(phase)
  }
}
