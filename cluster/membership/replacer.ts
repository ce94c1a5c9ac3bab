import type { LogStorage } from '../log/log-storage.ts'
import type { Logger } from '../logger.ts'
import type { Clock, Timer } from '../ports.ts'
import type { Configuration, Member } from '../raft/configuration.ts'
import type { RaftId } from '../raft/types.ts'
import type { Replica } from '../replica.ts'
import { PeerFrameKind } from '../transport/peer-frame.ts'
import type { PeerHello } from '../transport/peer-hello.ts'
import type { InitialMember } from './formation.ts'
import {
  type MemberChange,
  type MemberChangeRefusal,
  objectionTo,
  withoutMember,
} from './member-change.ts'
import { LearnerWatch } from './learner-watch.ts'
import { nextConfiguration, withLearner } from './reconcile.ts'

/** While a change of members is under way or wanted, and otherwise. */
const CHANGING_MS = 200
const SETTLED_MS = 1_000
/** What was asked for and has not begun by then is forgotten: the operator asks again. */
const ASKED_MS = 60_000
/** Changes that wait for a node to answer. */
const MAX_ASKED = 16

export interface ReplacerHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly log: LogStorage
  /** Take in an emptied member by itself; else an operator says so. */
  readonly autoReplace: boolean
  replica(): Replica | null
  strangers(): readonly PeerHello[]
  /** Acknowledged of a snapshot on its way; 0 if there is none. */
  snapshotBytesTo(id: RaftId): number
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  /** Who is to be dialled beside the members changed. */
  onWanted(): void
}

interface Asked {
  /** Whom to take in; `null`: whoever answers in the place of the member of that name. */
  readonly member: InitialMember | null
  readonly untilMs: number
}

/**
 * A leader's care for its members (rule K1): takes in replicas that replace a lost one, and moves
 * the configuration on, one committed step at a time.
 */
export class Replacer {
  readonly #host: ReplacerHost
  /** What an operator asked for, by the member's name; a leader forgets it with its office. */
  readonly #asked = new Map<string, Asked>()
  readonly #learners = new LearnerWatch()
  #timer: Timer | null = null

  constructor(host: ReplacerHost) {
    this.#host = host
  }

  /** Names that wait for a node with an empty directory to answer. */
  get asked(): readonly string[] {
    return [...this.#asked.keys()]
  }

  /** How long a learner has taken in nothing new; 0 on whoever does not lead. */
  stuckMs(id: RaftId): number {
    return this.#learners.stuckMs(id, this.#host.clock.monotonicMs())
  }

  get longestStuckMs(): number {
    return this.#learners.longestMs(this.#host.clock.monotonicMs())
  }

  /** Nodes that are not members and are to be taken in: they must be dialled to be known. */
  get wanted(): readonly InitialMember[] {
    return [...this.#asked.values()].flatMap(({ member }) => member ?? [])
  }

  /**
   * Begins what an operator asks for. Asked again it does nothing new; what became of it shows in the
   * configuration. Only a leader that knows all that was committed can say yes.
   */
  ask(change: MemberChange): MemberChangeRefusal | null {
    const replica = this.#host.replica()
    if (replica?.hasAuthority !== true) {
      return { code: 'notLeader', message: 'only the leader changes the members' }
    }
    const { configuration, raftId } = replica
    const { progress, commit } = replica.status()
    const objection = objectionTo({ configuration, progress, commit, self: raftId }, change)
    if (objection !== null) return objection
    if (change.op === 'remove') return this.#remove(replica, change.name)
    const name = change.op === 'add' ? change.member.name : change.name
    const isThere = configuration.learners.some((one) => one.name === name)
    const isDone = isThere || configuration.voters.some((one) => one.name === name)
    if (change.op === 'add' ? isDone : isThere) return null
    if (!this.#asked.has(name) && this.#asked.size >= MAX_ASKED) {
      return { code: 'pending', message: `${MAX_ASKED} changes wait already` }
    }
    const member = change.op === 'add' ? change.member : null
    this.#asked.set(name, { member, untilMs: this.#host.clock.monotonicMs() + ASKED_MS })
    this.#host.onWanted()
    return null
  }

  #remove(replica: Replica, name: string): MemberChangeRefusal | null {
    this.#forget(name)
    const { configuration } = replica
    const next = withoutMember(configuration, name)
    const members = ({ voters, learners }: Configuration) => voters.length + learners.length
    if (members(next) === members(configuration)) return null
    const proposed = replica.proposeConfiguration(next)
    this.#tell(next, proposed.accepted)
    if (proposed.accepted) return null
    return { code: 'pending', message: `not now: ${proposed.detail}` }
  }

  #forget(name: string): void {
    if (this.#asked.delete(name)) this.#host.onWanted()
  }

  #forgetOld(isLeader: boolean): void {
    const now = this.#host.clock.monotonicMs()
    for (const [name, { untilMs }] of this.#asked) {
      if (!isLeader || now >= untilMs) this.#forget(name)
    }
  }

  start(): void {
    this.#timer = this.#host.clock.after(this.#isSettled ? SETTLED_MS : CHANGING_MS, () => {
      this.#look()
      this.start()
    })
  }

  get #isSettled(): boolean {
    const configuration = this.#host.replica()?.configuration
    if (this.#asked.size > 0) return false
    if (configuration === undefined || this.#host.strangers().length > 0) return false
    return configuration.learners.length === 0 && configuration.outgoing.length === 0
  }

  close(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    const replica = this.#host.replica()
    this.#forgetOld(replica?.hasAuthority === true)
    this.#watchLearners(replica)
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
    const { accepted } = replica.proposeConfiguration(next)
    this.#tell(next, accepted)
    if (accepted) for (const { name } of next.learners) this.#forget(name)
  }

  #watchLearners(replica: Replica | null): void {
    const leads = replica?.hasAuthority === true
    const progress = leads ? replica.status().progress.filter(({ learner }) => learner) : []
    const taken = progress.map(({ id, match }) => {
      return [id, match + this.#host.snapshotBytesTo(id)] as const
    })
    this.#learners.look(this.#host.clock.monotonicMs(), new Map(taken))
  }

  #tell(next: Configuration, accepted: boolean): void {
    const names = (members: readonly Member[]) => members.map(({ name, id }) => `${name}/${id}`)
    this.#host.logger.info('members.change', {
      accepted,
      voters: names(next.voters),
      learners: names(next.learners),
    })
  }

  /** An empty directory answers at a voter's address, under its name and a new id; or one to be added. */
  #withReplacement(
    configuration: Configuration,
    strangers: readonly PeerHello[],
  ): Configuration | null {
    for (const stranger of strangers) {
      const asked = this.#asked.get(stranger.name)
      if (asked === undefined && !this.#host.autoReplace) continue
      const known = [...configuration.voters, ...configuration.learners]
      if (known.some(({ id }) => id === stranger.raftId)) continue
      const old = known.find(({ name }) => name === stranger.name)
      const member = old ?? asked?.member ?? null
      if (member !== null) return withLearner(configuration, { ...member, id: stranger.raftId })
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
