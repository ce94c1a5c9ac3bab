import {
  type Clock,
  CounterCell,
  type DiskSpace,
  type FileSystem,
  type Logger,
  type LogStorage,
  NO_ONE,
  type RaftId,
  type Replica,
  type Timer,
} from '#cluster'
import { fittestVoter } from '../fittest-voter.ts'
import type { Store } from '../store/store.ts'
import { isExempt, needOf } from './command-need.ts'
import type { DiskBallast } from './disk-ballast.ts'
import { DiskLevel, diskLevel, type DiskLimits, lookAfterMs } from './disk-level.ts'
import { type DiskDoor, diskDoor } from './disk-quorum.ts'
import type { DiskReport } from './disk-report.ts'

const REPORT_MS = 900
/** A handover that came to nothing held writes up for an election timeout. */
const HAND_ON_EVERY_MS = 5_000
/** From the end of a compaction, which reads and writes the whole store, to the next one. */
const COMPACT_AFTER_MS = { least: 5_000, most: 30_000 } as const
/** Between these so many times as long as it took. */
const COMPACT_PAUSE = 10
/** What more goes with the next cuts is compacted with the first, if they come within so long. */
const MORE_ERASED_WITHIN_MS = 10_000
const LEVELS = ['ok', 'low', 'hard', 'spent'] as const
const OPEN: DiskDoor = { takesWrites: true, takesCursors: true }

export interface DiskGuardHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly limits: DiskLimits
  readonly ballast: DiskBallast
  readonly log: LogStorage
  store(): Store | null
  /** The next cut takes something out of the store. */
  erases(): boolean
  /** What retention took away is to leave the store as soon as it may, or in its own time again. */
  saveSpace(saves: boolean): void
  replica(): Replica | null
  isUp(id: RaftId): boolean
  /** How well a peer would do as the leader by its own word; 0: not at all. */
  fitness(id: RaftId): number
  /** Whether clients are served here: not while this node falls behind for want of room. */
  serveClients(serves: boolean): void
  /** To every peer that is reached, or to one. */
  report(report: DiskReport, to?: RaftId): void
}

/**
 * Keeps a disk that fills up from becoming an error (rule K9): looks at it every second, tells the
 * peers, and decides as the leader what may still be written, as a follower what is still taken.
 */
export class DiskGuard {
  /** Commands that this node as the leader turned away for want of room. */
  readonly refused = new CounterCell()
  readonly #host: DiskGuardHost
  readonly #reports = new Map<RaftId, DiskReport>()
  #level: DiskLevel = DiskLevel.ok
  #space: DiskSpace | null = null
  /** What is free but for what the reserve lacks: to give that up makes no room for anything new. */
  #room = Number.MAX_SAFE_INTEGER
  #reportedMs = -Infinity
  #reportedLevel: DiskLevel = DiskLevel.ok
  #door: DiskDoor = OPEN
  #held = ''
  #fallsBehind = false
  #handedOnMs = -Infinity
  /** A cut from here on took something out of the store; 0: none did since the last compaction. */
  #erasedAt = 0
  #erasedMs = 0
  #compacting = false
  #compactFromMs = -Infinity
  #timer: Timer | null = null
  #closed = false

  constructor(host: DiskGuardHost) {
    this.#host = host
  }

  get level(): DiskLevel {
    return this.#level
  }

  /** Of the disk of the data, as last looked at: a disk that hangs holds nobody up. `null`: not known. */
  get space(): DiskSpace | null {
    return this.#space
  }

  /** Of the reserve's two parts together, on disk. */
  get reserveBytes(): number {
    return this.#host.ballast.keptBytes
  }

  /** It takes nothing of what its leader goes on with: what is here is out of date, and gets older. */
  get fallsBehind(): boolean {
    return this.#fallsBehind
  }

  /** Whether there is room for a peer's whole state beside this node's own. */
  get takesSnapshots(): boolean {
    return this.#level < DiskLevel.hard
  }

  /** Looks once, at once, and then every second, near a bound more often. */
  async start(): Promise<void> {
    await this.#look()
    this.#later()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  received(from: RaftId, report: DiskReport): void {
    this.#reports.set(from, report)
    this.#judge()
  }

  peerUp(id: RaftId): void {
    this.#host.report(this.#ownReport, id)
  }

  /** Whoever leads now has words of its own. */
  leaderChanged(): void {
    this.#judge()
  }

  /** Whether this node, leading, lets the command into the log. What is malformed others refuse. */
  admits(command: Uint8Array): boolean {
    const { takesWrites, takesCursors } = this.#door
    if (takesWrites && takesCursors) return true
    const need = needOf(command)
    const admitted =
      need === 'none' || (need === 'little' && takesCursors) || (need === 'room' && takesWrites)
    if (!admitted) this.refused.add()
    return admitted
  }

  #later(): void {
    if (this.#closed) return
    const afterMs = lookAfterMs(this.#level, this.#room, this.#host.limits)
    this.#timer = this.#host.clock.after(afterMs, () => {
      void this.#look().then(() => this.#later())
    })
  }

  async #look(): Promise<void> {
    const { fileSystem, directory, logger } = this.#host
    try {
      const space = await fileSystem.space(directory)
      if (this.#closed) return
      this.#space = space
      this.#measured(space.freeBytes)
      await this.#keepRoom(space.freeBytes)
    } catch (error) {
      // A disk that says nothing is not called full; one that fails is noticed by who writes.
      this.#space = null
      if (!this.#closed) logger.warn('disk.unknown', { error })
    }
    if (this.#closed) return
    this.#reportEachSecond()
    this.#handOn()
    this.#judge()
  }

  #measured(freeBytes: number): void {
    const { ballast, limits, log, logger } = this.#host
    this.#room = Math.max(0, freeBytes - ballast.missingBytes)
    const before = this.#level
    const level = diskLevel(before, this.#room, limits)
    this.#level = level === DiskLevel.hard && log.reserved < 2 ? DiskLevel.spent : level
    log.saveSpace(level >= DiskLevel.hard)
    this.#host.saveSpace(level >= DiskLevel.low)
    if (this.#level === before) return
    const say = this.#level > before ? 'warn' : 'info'
    logger[say]('disk.level', { level: LEVELS[this.#level], freeBytes, ...ADVICE[this.#level] })
  }

  #reportEachSecond(): void {
    const now = this.#host.clock.monotonicMs()
    if (now - this.#reportedMs < REPORT_MS && this.#level === this.#reportedLevel) return
    this.#reportedMs = now
    this.#reportedLevel = this.#level
    this.#host.report(this.#ownReport)
  }

  async #keepRoom(freeBytes: number): Promise<void> {
    const { ballast, limits, log, clock } = this.#host
    if (this.#level < DiskLevel.hard && log.reserved < 2) await log.keepReserve()
    if (this.#level === DiskLevel.ok) {
      // Takes a while, and nobody waits for it.
      ballast.keep().catch((error: Error) => {
        this.#host.logger.warn('disk.reserve.failed', { error })
      })
      return
    }
    const cut = this.#host.store()?.cut?.index ?? 0
    const erases = this.#host.erases()
    const now = clock.monotonicMs()
    if (this.#erasedAt === 0 && erases) {
      this.#erasedAt = cut + 1
      this.#erasedMs = now
    }
    const isDue = this.#erasedAt > 0 && cut >= this.#erasedAt
    if (!isDue || this.#compacting) return
    if (erases && now - this.#erasedMs < MORE_ERASED_WITHIN_MS) return
    if (now < this.#compactFromMs) return
    // Not before: whatever fills the disk would take this, too, and the next start needs it.
    if (freeBytes < limits.reserveBytes) await ballast.release()
    this.#compact()
  }

  /** Removed values keep their room until the store rewrites what they stand in. */
  #compact(): void {
    const { logger, clock } = this.#host
    this.#erasedAt = 0
    this.#compacting = true
    const begunMs = clock.monotonicMs()
    const compaction = this.#host.store()?.compact() ?? Promise.resolve()
    const ended = () => {
      this.#compacting = false
      const now = clock.monotonicMs()
      const { least, most } = COMPACT_AFTER_MS
      this.#compactFromMs = now + Math.min(most, Math.max(least, (now - begunMs) * COMPACT_PAUSE))
    }
    compaction.then(
      () => {
        ended()
        logger.info('disk.compacted')
      },
      (error: Error) => {
        ended()
        if (!this.#closed) logger.warn('disk.compaction.failed', { error })
      },
    )
  }

  get #ownReport(): DiskReport {
    const { takesWrites } = this.#door
    const door = this.#leads && !takesWrites ? 'shut' : 'open'
    return {
      level: this.#level,
      freeBytes: this.#space?.freeBytes ?? Number.MAX_SAFE_INTEGER,
      door,
    }
  }

  get #leads(): boolean {
    const replica = this.#host.replica()
    return replica !== null && replica.leader === replica.raftId
  }

  #levelOf(id: RaftId): DiskLevel | null {
    if (id === this.#host.log.raftId) return this.#level
    if (!this.#host.isUp(id)) return null
    return this.#reports.get(id)?.level ?? DiskLevel.ok
  }

  #judge(): void {
    const replica = this.#host.replica()
    if (replica === null || this.#closed) return
    const { voters, learners } = replica.configuration
    const members = [...voters, ...learners].map(({ id }) => id)
    for (const id of this.#reports.keys()) if (!members.includes(id)) this.#reports.delete(id)
    const before = this.#door
    const ids = voters.map(({ id }) => id)
    this.#door = this.#leads ? diskDoor(replica.raftId, ids, (id) => this.#levelOf(id)) : OPEN
    if (this.#leads && this.#door.takesWrites !== before.takesWrites) this.#tellDoor()
    this.#hold(replica, members)
    this.#limit(replica)
  }

  #tellDoor(): void {
    const { logger } = this.#host
    if (this.#door.takesWrites) logger.info('disk.writes.taken')
    else {
      logger.error('disk.writes.refused', {
        message:
          'too few members have room on their disks: clients hear DISK_FULL until there is some. Free or add space, or set a retention policy',
      })
    }
    this.#host.report(this.#ownReport)
  }

  /** A peer that takes nothing is not sent the same again and again. */
  #hold(replica: Replica, members: readonly RaftId[]): void {
    const isHeld = (id: RaftId) => (this.#reports.get(id)?.level ?? DiskLevel.ok) >= DiskLevel.hard
    const ids = this.#leads && this.#door.takesWrites ? members.filter(isHeld) : []
    const held = ids.join(' ')
    if (held === this.#held) return
    this.#held = held
    replica.holdAppends(ids.length === 0 ? null : { ids: new Set(ids), isExempt })
  }

  /** What was on its way when the leader shut its door is taken as far as made segments go. */
  #limit(replica: Replica): void {
    const { leader } = replica
    const isHard = this.#level >= DiskLevel.hard
    const isShut = leader !== NO_ONE && this.#reports.get(leader)?.door === 'shut'
    const limit = { bytes: isShut ? this.#host.log.room : 0, isExempt }
    replica.limitAppends(isHard ? limit : null)
    const fallsBehind = isHard && leader !== NO_ONE && !this.#leads && !isShut
    if (fallsBehind === this.#fallsBehind) return
    this.#fallsBehind = fallsBehind
    this.#host.serveClients(!fallsBehind)
  }

  /** To the fittest voter with room; without one, it leads on. */
  #handOn(): void {
    const replica = this.#host.replica()
    if (replica === null || !this.#leads || this.#level === DiskLevel.ok) return
    const now = this.#host.clock.monotonicMs()
    if (now - this.#handedOnMs < HAND_ON_EVERY_MS) return
    const hasRoom = (id: RaftId) => this.#reports.get(id)?.level === DiskLevel.ok
    const best = fittestVoter(replica, (id) => (hasRoom(id) ? this.#host.fitness(id) : 0))
    if (best === null) return
    this.#handedOnMs = now
    this.#host.logger.warn('disk.leadership.handed', { to: best })
    replica.transferLeadership(best)
  }
}

const ADVICE: Readonly<Record<DiskLevel, { readonly message?: string }>> = {
  [DiskLevel.ok]: {},
  [DiskLevel.low]: { message: 'the disk is nearly full: this node does not lead while others can' },
  [DiskLevel.hard]: {
    message: 'the disk is all but full: this node takes nothing new. Free or add space',
  },
  [DiskLevel.spent]: {
    message: 'the disk is full, and part of what was set aside is used. Free or add space now',
  },
}
