import type {
  Configuration,
  FailpointName,
  Failpoints,
  InitialMember,
  Logger,
  ReplicaOptions,
} from '#cluster'
import type { LiveSettings } from '../../node/live-settings.ts'
import type { NodeSettings } from '../../node/node-settings.ts'
import { ParleyNode } from '../../node/parley-node.ts'
import { FEATURE_LEVELS } from '../../node/state-machine/feature-level.ts'
import { DurableLog } from '../checkers/raft/durable-log.ts'
import type { ObservedReplica } from '../checkers/raft/raft-checker.ts'
import type { Prng } from '../prng.ts'
import type { SimClients } from './sim-clients.ts'
import { type ClockFaults, SimClock, simRandom } from './sim-clock.ts'
import { type DatabaseLatency, SimDatabases } from './sim-database.ts'
import { type DiskOptions, SimDisk } from './sim-disk.ts'
import type { SimNetwork } from './sim-network.ts'
import { ProcessDeath, SimProcess } from './sim-process.ts'
import type { SimScheduler } from './sim-scheduler.ts'

/** Where a process is to end. */
export interface Trap {
  readonly point: FailpointName | 'beforeSync'
  /** So many times it still comes by. */
  readonly passes: number
  /** The machine loses power, instead of the process being killed. */
  readonly power: boolean
  readonly onDeath: () => void
}

/** How every node of a run is set up. */
export interface NodeProfile {
  readonly replica: Partial<ReplicaOptions>
  readonly gateway: NodeSettings['gateway']
  readonly log: NodeSettings['log']
  readonly state: NodeSettings['state']
  readonly disk: DiskOptions
  readonly database: DatabaseLatency
  /** Clock rates are drawn from 1 ± this. */
  readonly clockDrift: number
  readonly timerLatenessMs: number
  /** What a look at the clock costs at most: makes long work yield. */
  readonly lookMs: number
}

export interface NodeHost {
  readonly scheduler: SimScheduler
  readonly network: SimNetwork
  readonly clients: SimClients
  readonly logger: (node: SimNode) => Logger
  /** A new number for a process. */
  nextProcess(): number
  /** The process stopped itself, or its code threw; `error` says why. */
  onEnd(node: SimNode, error: Error, how: 'stopped' | 'threw'): void
  /** The process ended as one that has nothing more to do; `told`: because it was told to. */
  onLeft(node: SimNode, told: boolean): void
}

/** Whether a machine belongs to the cluster, as its operator sees it. */
export type Standing = 'spare' | 'joining' | 'member' | 'leaving' | 'removed'

/** Whoever watches over a process starts it again after this. */
const BACK_AFTER_MS = 10

/** A machine with its disk, and the node that lives on it, life after life. */
export class SimNode implements ObservedReplica {
  readonly name: string
  readonly clientAddress: string
  readonly peerAddress: string
  readonly disk: DurableLog = new DurableLog()
  readonly platter: SimDisk
  readonly databases: SimDatabases
  readonly wall = { offsetMs: 0 }
  /** A spare one is off. */
  standing: Standing
  /** How long each of its next lives lasts, in ms; it is back at once. */
  crashLoop: readonly number[] = []
  /** Lives that ended so. */
  loopedDeaths = 0
  process: SimProcess | null = null
  parley: ParleyNode | null = null
  /** Why it may not come back, once its disk is known to be damaged. */
  retired: string | null = null
  /** Its disk was damaged or lost on purpose, and not replaced since: it may give up (rule K10). */
  isHurt = false
  /** Its disk was lost: it is a stranger now (rule K1). */
  wiped = false
  starts = 0
  /** Errors that its disk had given by the time of its last start. */
  #errorsBefore = 0
  /** How often it died at which failpoint. */
  readonly deathsAt = new Map<FailpointName | 'beforeSync', number>()
  /** How often it came by each: with next to every event, so what is looked up is counted in place. */
  readonly #hits = new Map<FailpointName | 'beforeSync', { count: number }>()
  readonly #host: NodeHost
  readonly #profile: NodeProfile
  readonly #members: readonly InitialMember[]
  readonly #prng: Prng
  /** In so many of its first lives it is of an older version: feature level 1 is all it can do. */
  #olderLives: number
  readonly #clockFaults: ClockFaults = { rate: 1, latenessMs: 0 }
  #clock: SimClock | null = null
  #isEmptied = false
  #onDrained: (() => void) | null = null
  #trap: Trap | null = null
  #passes = 0
  /** Asked after every event, changed next to never. */
  #voters: { readonly of: Configuration | null; readonly ids: readonly string[] } = {
    of: null,
    ids: [],
  }

  constructor(parts: {
    member: InitialMember
    members: readonly InitialMember[]
    standing: Standing
    host: NodeHost
    profile: NodeProfile
    prng: Prng
    /** @default 0 */
    olderLives?: number
  }) {
    const { member, host, profile, prng } = parts
    this.name = member.name
    this.peerAddress = member.peerAddress
    this.clientAddress = member.clientUrl.replace('http://', '')
    this.#members = parts.members
    this.standing = parts.standing
    this.#host = host
    this.#profile = profile
    this.#prng = prng
    this.#olderLives = parts.olderLives ?? 0
    this.platter = new SimDisk(host.scheduler, prng.split('disk'), profile.disk)
    this.platter.observer = {
      onSynced: (path, bytes) => {
        if (path.includes('/log/')) this.disk.synced(bytes)
      },
    }
    this.platter.beforeSync = (process) => {
      if (process === this.process) this.#comesBy('beforeSync')
    }
    this.databases = new SimDatabases(host.scheduler, prng.split('database'), profile.database)
    this.platter.onMoved = (from, to) => this.databases.move(`${from}/`, `${to}/`)
  }

  get configuration(): Configuration | null {
    return this.parley?.replica?.configuration ?? null
  }

  /** Its settings name nobody else: with an empty disk it forms a cluster of its own (rule K1). */
  get foundsAlone(): boolean {
    return this.#members.length === 1 && this.#members[0]?.name === this.name
  }

  get voters(): readonly string[] {
    const { configuration } = this
    if (configuration === null) return []
    if (this.#voters.of !== configuration) {
      this.#voters = { of: configuration, ids: configuration.voters.map(({ id }) => id) }
    }
    return this.#voters.ids
  }

  /** How often it came by each failpoint. */
  get hits(): (readonly [FailpointName | 'beforeSync', number])[] {
    return [...this.#hits].map(([point, { count }]) => [point, count])
  }

  get isUp(): boolean {
    return this.process !== null
  }

  /** Errors that its disk gave in this life, or in the one that just ended. */
  get errorsMet(): number {
    return this.platter.errors + this.databases.errors - this.#errorsBefore
  }

  get isPaused(): boolean {
    return this.process?.isPaused === true
  }

  /** Sets a trap for this life, or for the next one while it is down; `null` takes it away. */
  arm(trap: Trap | null): void {
    this.#trap = trap
    this.#passes = trap?.passes ?? 0
  }

  start(): void {
    if (this.process !== null || this.retired !== null || this.standing === 'spare') return
    this.starts += 1
    this.disk.starts()
    this.#errorsBefore = this.platter.errors + this.databases.errors
    const { scheduler, network, clients } = this.#host
    const prng = this.#prng.split(`life ${this.starts}`)
    const process: SimProcess = new SimProcess(scheduler, {
      number: this.#host.nextProcess(),
      host: this.name,
      onFault: (error) => this.#ended(process, error, 'threw'),
    })
    this.process = process
    network.powerOn(this.name)
    const drift = this.#profile.clockDrift
    const clock = new SimClock({
      scheduler,
      process,
      prng: prng.split('clock'),
      wall: this.wall,
      faults: this.#clockFaults,
      options: {
        rate: prng.between(1 - drift, 1 + drift),
        latenessMs: this.#profile.timerLatenessMs,
        lookMs: this.#profile.lookMs,
      },
    })
    this.#clock = clock
    const ports = {
      clock,
      random: simRandom(prng.split('random')),
      fileSystem: this.platter.portOf(process),
      network: network.portOf(process),
      clientNetwork: clients.portOf(process),
      databases: this.databases.portOf(process),
    }
    this.#diesSoon(process)
    scheduler.after(0, process, () => {
      ParleyNode.start(
        this.#settings(),
        ports,
        this.#host.logger(this),
        this.#failpoints(process),
      ).then(
        (node) => {
          if (this.process !== process) return
          this.parley = node
          void node.ended.then((error) => {
            if (error === null) this.#left(process)
            else this.#ended(process, error, 'stopped')
          })
        },
        (error: Error) => this.#ended(process, error, 'stopped'),
      )
    })
  }

  /** The life it has, or the last one that it had, is of an older version. */
  get isOlder(): boolean {
    return this.starts > 0 && this.starts <= this.#olderLives
  }

  get mostLevel(): number {
    return this.isOlder ? FEATURE_LEVELS.min : FEATURE_LEVELS.max
  }

  /** Its operator installed the newer version: whatever starts from now on is that. */
  upgrade(): void {
    this.#olderLives = Math.min(this.#olderLives, this.starts)
  }

  /** Tells the process to end in peace; `onDone` once it has. Says whether there was one to tell. */
  drain(timeoutMs: number, onDone: () => void): boolean {
    const { process, parley } = this
    if (process === null || parley === null || this.#onDrained !== null) return false
    this.#onDrained = onDone
    this.#host.scheduler.soon(process, () => {
      parley.drain(timeoutMs).catch((error: Error) => this.#ended(process, error, 'stopped'))
    })
    return true
  }

  /** Its configuration is read again; `null`: it says what it said at the start. */
  reload(live: LiveSettings | null): void {
    const { gateway } = this.#profile
    this.parley?.reconfigure({ ...live, gateway: { ...gateway, ...live?.gateway } })
  }

  /** Ends the process; the machine runs on, and what it wrote stays in the page cache. */
  kill(): void {
    const process = this.#die()
    if (process === null) return
    this.platter.kill(process)
    this.databases.crash(process)
    this.#host.network.processDied(process, 'killed')
    this.#host.clients.processDied(process, 'killed')
  }

  /** Ends the machine: nobody is told, and what was not synced may be gone. */
  powerCut(): void {
    const process = this.#die()
    if (process === null) return
    this.platter.powerCut(process)
    this.databases.crash(process)
    this.databases.keepOnly((path) => this.platter.tree.directory(path) !== undefined)
    this.#host.network.processDied(process, 'power')
    this.#host.clients.processDied(process, 'power')
  }

  /** From now on, in this life and the next. */
  setClock(faults: Partial<ClockFaults>): void {
    Object.assign(this.#clockFaults, faults)
    this.#clock?.rebase()
  }

  /** A disk that was lost is made up for once the cluster counts on the replica on the new one. */
  noteReplaced(isVoter: boolean): void {
    if (this.#isEmptied && isVoter) this.isHurt = false
  }

  /** `how`: an empty disk can be replaced, of any other damage something may stay behind unseen. */
  hurt(how: 'emptied' | 'damaged'): void {
    this.isHurt = true
    this.#isEmptied = how === 'emptied'
  }

  /** All that the disk holds now, to be put back later while the machine is off. */
  image(): { readonly log: ReturnType<DurableLog['image']>; restore(): void } {
    const [log, restoreFiles, restoreDatabases] = [
      this.disk.image(),
      this.platter.image(),
      this.databases.image(),
    ]
    const restore = () => {
      restoreFiles()
      restoreDatabases()
      log.restore()
    }
    return { log, restore }
  }

  /** A new, empty disk. */
  wipe(): void {
    this.retired = null
    this.platter.wipe()
    this.databases.wipe()
    this.disk.forget()
    this.wiped = true
  }

  #diesSoon(process: SimProcess): void {
    const [lifeMs, ...others] = this.crashLoop
    if (lifeMs === undefined) return
    const { scheduler } = this.#host
    scheduler.after(lifeMs, null, () => {
      if (this.process !== process || this.crashLoop.length === 0) return
      this.crashLoop = others
      this.loopedDeaths += 1
      // By turns the process and the machine.
      if (others.length % 2 === 0) this.kill()
      else this.powerCut()
      scheduler.after(BACK_AFTER_MS, null, () => this.start())
    })
  }

  #isTrapped(point: FailpointName | 'beforeSync'): boolean {
    return this.#trap?.point === point && this.#passes === 0
  }

  /** Says whether it ended there. */
  #comesBy(point: FailpointName | 'beforeSync'): boolean {
    const hit = this.#hits.get(point)
    if (hit === undefined) this.#hits.set(point, { count: 1 })
    else hit.count += 1
    const trap = this.#trap
    if (trap?.point !== point || this.#passes-- > 0) return false
    this.deathsAt.set(point, (this.deathsAt.get(point) ?? 0) + 1)
    if (trap.power || point === 'beforeSync') this.powerCut()
    else this.kill()
    trap.onDeath()
    return true
  }

  #die(): SimProcess | null {
    const { process } = this
    if (process === null) return null
    process.die()
    this.process = null
    this.parley = null
    this.#clock = null
    this.#onDrained = null
    this.#trap = null
    return process
  }

  #ended(process: SimProcess, error: Error, how: 'stopped' | 'threw'): void {
    if (this.process !== process) return
    this.kill()
    this.#host.onEnd(this, error, how)
  }

  #left(process: SimProcess): void {
    if (this.process !== process) return
    const onDrained = this.#onDrained
    this.kill()
    this.#host.onLeft(this, onDrained !== null)
    onDrained?.()
  }

  #settings(): NodeSettings {
    const { replica, gateway, log, state } = this.#profile
    return {
      name: this.name,
      listen: this.clientAddress,
      peerListen: this.peerAddress,
      dataDirectory: '/data',
      initialMembers: this.#members,
      dev: true,
      version: 'simulated',
      mostLevel: this.mostLevel,
      replica,
      ...(gateway === undefined ? {} : { gateway }),
      ...(log === undefined ? {} : { log }),
      ...(state === undefined ? {} : { state }),
    }
  }

  /** What the world asks of a node, and not its own process, kills nobody. */
  #failpoints(process: SimProcess): Failpoints {
    const { scheduler } = this.#host
    const isRunning = () => this.process === process && scheduler.owner === process
    return {
      hit: (name) => {
        if (isRunning() && this.#comesBy(name)) throw new ProcessDeath(name)
      },
      armed: (name) => isRunning() && this.#isTrapped(name),
    }
  }
}
