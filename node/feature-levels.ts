import {
  allMembers,
  type Clock,
  type ClusterNode,
  type Features,
  featuresOf,
  type Logger,
  type RaftId,
  type Timer,
} from '#cluster'
import { encodeSubmission } from './state-machine/command-codec.ts'
import { CommandKind, SYSTEM_HEAD } from './state-machine/commands.ts'
import { FEATURE_LEVELS } from './state-machine/feature-level.ts'

/** The leader of a new cluster looks this often whether the level can rise. */
const LOOK_MS = 200
/** An entry for the level that is lost with its leader is proposed again by then. */
const AGAIN_MS = 2_000

/** What one member can do, as this node hears it from the member itself. */
export interface MemberFeatures {
  readonly name: string
  /** `null`: this node does not reach it. */
  readonly features: Omit<Features, 'level'> | null
}

/** How far an upgrade of the cluster has come. */
export interface UpgradeView {
  /** In force: what may stand in the log and in snapshots. */
  readonly level: number
  /** The highest that this node can do. */
  readonly most: number
  /** Who keeps the level from rising to `most`, a sentence each. */
  readonly waitingFor: readonly string[]
  readonly members: readonly MemberFeatures[]
  /** A new cluster gets there without an operator's word. */
  readonly risesByItself: boolean
}

export interface FeatureLevelsHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  readonly version: string
  /** The highest level that this node can do. */
  readonly most: number
  readonly cluster: () => ClusterNode
  readonly self: RaftId
  /** Of the cluster, applied. */
  readonly level: () => number
  /** Nothing of before this version is in it: there is nothing to go back to. */
  readonly isNew: () => boolean
}

/**
 * The feature level of the cluster (rule A9). A leader raises it once every member, learners too, says
 * over a live link that it can do it: by itself while the cluster is new, else when an
 * operator asks (docs/decisions/0009-feature-level.md). It never falls.
 */
export class FeatureLevels {
  readonly #host: FeatureLevelsHost
  #timer: Timer | null = null
  #proposedMs = -Infinity
  #closed = false

  constructor(host: FeatureLevelsHost) {
    this.#host = host
    this.#lookLater()
  }

  /** What this node tells its peers of itself. */
  get own(): Features {
    const { version, most, level } = this.#host
    return { version, levels: { min: FEATURE_LEVELS.min, max: most }, level: level() }
  }

  /** This node is the one to raise it. */
  get leads(): boolean {
    return this.#host.cluster().replica?.hasAuthority === true
  }

  view(): UpgradeView {
    const { most, level } = this.#host
    const members = this.#members()
    const waitingFor = members.flatMap(({ name, features }) => {
      if (features === null) return `${name} is not reached, so nobody knows what it can do`
      const { max } = features.levels
      return max >= most ? [] : `${name} can do level ${max} only: start it with the newer version`
    })
    const risesByItself = level() < most && this.#host.isNew()
    return { level: level(), most, waitingFor, members, risesByItself }
  }

  /**
   * As leader: begins to raise the level to the highest that this node can do. `null` if nothing speaks
   * against it, or it is there already; the level shows when it is done.
   */
  raise(): readonly string[] | null {
    const { level, most, waitingFor } = this.view()
    if (waitingFor.length > 0) return waitingFor
    if (level >= most) return null
    const replica = this.#host.cluster().replica
    const now = this.#host.clock.monotonicMs()
    if (replica?.hasAuthority !== true || now - this.#proposedMs < AGAIN_MS) return null
    // Past the forwarder, which would hand it on to a later leader: that one asks its members itself.
    const command = { kind: CommandKind.level, ...SYSTEM_HEAD, level: most } as const
    if (replica.propose(encodeSubmission(command, 0, 0)) !== 'taken') return null
    this.#proposedMs = now
    this.#host.logger.info('level.proposed', { level: most })
    return null
  }

  /** This node has just come to lead: of a new cluster, nothing comes before the level. */
  authority(): void {
    if (this.leads && this.#host.isNew()) this.raise()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #lookLater(): void {
    if (this.#closed || this.#host.level() >= this.#host.most) return
    this.#timer = this.#host.clock.after(LOOK_MS, () => {
      this.authority()
      this.#lookLater()
    })
  }

  /** Of the newest configuration, committed or not. */
  #members(): MemberFeatures[] {
    const { cluster, self, name } = this.#host
    const { replica, transport } = cluster()
    if (replica === null) return [{ name, features: this.own }]
    return allMembers(replica.configuration).map((member) => {
      if (member.id === self) return { name, features: this.own }
      const hello = transport.helloOf(member.id)
      return { name: member.name, features: hello === null ? null : featuresOf(hello) }
    })
  }
}
