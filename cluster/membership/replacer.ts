import type { LogStorage } from '../log/log-storage.ts'
import type { Logger } from '../logger.ts'
import type { Clock, Timer } from '../ports.ts'
import type { Configuration, Member } from '../raft/configuration.ts'
import type { RaftId } from '../raft/types.ts'
import type { Replica } from '../replica.ts'
import { PeerFrameKind } from '../transport/peer-frame.ts'
import type { PeerHello } from '../transport/peer-hello.ts'
import { nextConfiguration, withLearner } from './reconcile.ts'

/** While a change of members is under way or wanted, and otherwise. */
const CHANGING_MS = 200
const SETTLED_MS = 1_000

export interface ReplacerHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: LogStorage
  /** Take in an emptied member by itself; else an operator says so. */
  readonly autoReplace: boolean
  replica(): Replica | null
  strangers(): readonly PeerHello[]
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
}

/**
 * A leader's care for its members (rule K1): takes in replicas that replace a lost one, and moves
 * the configuration on, one committed step at a time.
 */
export class Replacer {
  readonly #host: ReplacerHost
  #timer: Timer | null = null

  constructor(host: ReplacerHost) {
    this.#host = host
  }

  start(): void {
    this.#timer = this.#host.clock.after(this.#isSettled ? SETTLED_MS : CHANGING_MS, () => {
      this.#look()
      this.start()
    })
  }

  get #isSettled(): boolean {
    const configuration = this.#host.replica()?.configuration
    if (configuration === undefined || this.#host.strangers().length > 0) return false
    return configuration.learners.length === 0 && configuration.outgoing.length === 0
  }

  close(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    const replica = this.#host.replica()
    if (replica?.hasAuthority !== true || !replica.configurationCommitted) return
    const { configuration } = replica
    const strangers = this.#host.strangers()
    for (const stranger of strangers) this.#invite(configuration, stranger)
    const { progress, commit } = replica.status()
    const self = replica.raftId
    const next =
      this.#withReplacement(configuration, strangers) ??
      nextConfiguration({ configuration, progress, commit, self })
    if (next === null) return
    const proposed = replica.proposeConfiguration(next)
    const names = (members: readonly Member[]) => members.map(({ name, id }) => `${name}/${id}`)
    this.#host.logger.info('members.change', {
      accepted: proposed.accepted,
      voters: names(next.voters),
      learners: names(next.learners),
    })
  }

  /** An empty directory answers at a voter's address, under its name and a new id. */
  #withReplacement(
    configuration: Configuration,
    strangers: readonly PeerHello[],
  ): Configuration | null {
    if (!this.#host.autoReplace) return null
    for (const stranger of strangers) {
      const known = [...configuration.voters, ...configuration.learners]
      if (known.some(({ id }) => id === stranger.raftId)) continue
      const old = configuration.voters.find(({ name }) => name === stranger.name)
      if (old !== undefined) return withLearner(configuration, { ...old, id: stranger.raftId })
    }
    return null
  }

  /** Its first record must be the cluster's before it may take part in it. */
  #invite(configuration: Configuration, stranger: PeerHello): void {
    const invited = configuration.learners.some(({ id }) => id === stranger.raftId)
    const { formation } = this.#host.log
    if (invited && formation !== null) {
      this.#host.sendJson(stranger.raftId, PeerFrameKind.join, formation)
    }
  }
}
