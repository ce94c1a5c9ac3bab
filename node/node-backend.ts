import {
  type ClusterNode,
  findMember,
  type LogStorage,
  NO_ONE,
  type RaftId,
  ReadUnavailableError,
} from '#cluster'
import { type WireError, wireError } from '#protocol'
import type { AppliedWaiters } from './applied-waiters.ts'
import type { FilterChain } from './filters/filter-chain.ts'
import type { Backend, NodeRef, Submission } from './gateway/backend.ts'
import type { SignalRouter } from './signals/signal-router.ts'
import type { Signal } from './signals/signal.ts'
import type { StateReader, WriteResult } from './state-machine/types.ts'

export interface BackendParts {
  readonly self: NodeRef
  readonly log: LogStorage
  readonly state: StateReader
  readonly waiters: AppliedWaiters
  /** Filters first, then the forwarder. */
  readonly filters: FilterChain
  cluster(): ClusterNode
  signals(): SignalRouter
  /** How well a peer would do with clients: the higher the better. */
  fitness(id: RaftId): number
  /** Sentences, one per failing check. */
  failing(): readonly string[]
  /** Clients are greeted and read for: true also while an election goes on. */
  serving(): boolean
}

/** The gateway's view of this node. */
export class NodeBackend implements Backend {
  readonly self: NodeRef
  readonly state: StateReader
  readonly #parts: BackendParts

  constructor(parts: BackendParts) {
    this.self = parts.self
    this.state = parts.state
    this.#parts = parts
  }

  get epoch(): string {
    return this.#parts.log.formation?.epoch ?? ''
  }

  leader(): NodeRef | null {
    return this.#refOf(this.#parts.cluster().replica?.leader ?? NO_ONE)
  }

  nodes(): readonly NodeRef[] {
    const configuration = this.#parts.cluster().replica?.configuration
    if (configuration === undefined) return [this.self]
    return configuration.voters.map(({ name, clientUrl }) => ({ id: name, url: clientUrl }))
  }

  refuges(): readonly NodeRef[] {
    const replica = this.#parts.cluster().replica
    const others = (replica?.configuration.voters ?? []).filter(({ id }) => id !== replica?.raftId)
    // Somebody has to be named: who drains now may be back before anybody gets there.
    const best = Math.max(0, ...others.map(({ id }) => this.#parts.fitness(id)))
    return others
      .filter(({ id }) => this.#parts.fitness(id) === best)
      .map(({ name, clientUrl }) => ({ id: name, url: clientUrl }))
  }

  readiness(): { ready: boolean; serving: boolean; reasons: readonly string[] } {
    const reasons = this.#parts.failing()
    return { ready: reasons.length === 0, serving: this.#parts.serving(), reasons }
  }

  submit(submission: Submission, done: (result: WriteResult | { error: WireError }) => void): void {
    this.#parts.filters.submit(submission, done)
  }

  publish(signal: Signal): void {
    this.#parts.signals().publish(signal)
  }

  waitApplied(index: number, timeoutMs: number): Promise<boolean> {
    return this.#parts.waiters.wait(index, timeoutMs)
  }

  async readIndex(): Promise<{ index: number } | { error: WireError }> {
    const replica = this.#parts.cluster().replica
    const retry = { retryAfterMs: 200, leader: this.leader() }
    if (replica === null) return { error: wireError('NO_LEADER', 'the cluster is forming', retry) }
    try {
      return { index: await replica.readIndex() }
    } catch (error) {
      if (!(error instanceof ReadUnavailableError)) throw error
      return { error: wireError('NO_LEADER', `${error.message}; ask again`, retry) }
    }
  }

  #refOf(id: RaftId): NodeRef | null {
    const configuration = this.#parts.cluster().replica?.configuration
    if (id === NO_ONE || configuration === undefined) return null
    const member = findMember(configuration, id)
    return member === undefined ? null : { id: member.name, url: member.clientUrl }
  }
}
