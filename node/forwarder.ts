import {
  type Clock,
  type Failpoints,
  type Logger,
  NO_FAILPOINTS,
  NO_ONE,
  PeerFrameKind,
  type RaftId,
  type Random,
  type Replica,
  type Timer,
} from '#cluster'
import {
  type DecodeLimits,
  ERROR_CODES,
  type ErrorCode,
  wireError,
  type WireError,
} from '#protocol'
import {
  encodeForward,
  type ForwardedCommand,
  type ForwardRefusal,
  refusalBodies,
} from './forward-frame.ts'
import { refusalOf } from './forwarded-command.ts'
import { PendingWrites } from './pending-writes.ts'
import { encodeSubmission } from './state-machine/command-codec.ts'
import { levelOfSubmission } from './state-machine/feature-level.ts'
import type { Submission } from './state-machine/commands.ts'
import type { WriteResult } from './state-machine/types.ts'

const FORWARDER = {
  /** A write that was never handed to a leader is refused after this: certainly not stored. */
  holdMs: 2_000,
  /** No result for this long after a leader had it: its outcome is unknown. */
  unknownMs: 5_000,
  maxPending: 50_000,
  /** From the oldest to the newest: one without a result for long holds the place of later ones. */
  maxPendingSpan: 1 << 20,
  maxPendingBytes: 64 << 20,
  sweepMs: 100,
  /** When clients may send again: at once nearly, and where somebody has to free a disk first. */
  againMs: 200,
  diskFullMs: 2_000,
  /** Wrong commands of peers are worth one line in this time. */
  complainAgainMs: 60_000,
} as const

/** What a leader's refusal means for who wrote. */
const REFUSALS: Readonly<Partial<Record<ErrorCode, string>>> &
  Record<'OVERLOADED' | 'DISK_FULL', string> = {
  OVERLOADED: 'the leader takes no more writes now',
  BEHIND: 'the leader has not applied the feature level that this needs',
  DISK_FULL: 'too few nodes have room on their disks; the write is taken once there is some again',
}
const REFUSED =
  'the leader does not let this write in: its limits or its version differ from this node'

type Done = (result: WriteResult | { error: WireError }) => void

interface Pending {
  readonly request: number
  readonly msgId: string
  readonly command: Uint8Array
  readonly sinceMs: number
  readonly done: Done
  /** How often it was handed to a leader. */
  attempts: number
}

export interface ForwarderHost {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** @default none */
  readonly failpoints?: Failpoints
  readonly raftId: RaftId
  /** What this node's own gateway lets in. */
  readonly limits: DecodeLimits
  /** Of the cluster, as far as this node has applied: nothing above it gets into the log. */
  level(): number
  replica(): Replica | null
  /** A whole frame. */
  send(to: RaftId, frame: Uint8Array): boolean
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  isUp(id: RaftId): boolean
  /** Whether enough disks have room for the command, while this node leads. @default all */
  readonly admits?: (command: Uint8Array) => boolean
  leaderRef(): WireError['leader']
}

/**
 * Takes writes to the leader (rule A6): in arrival order on one link, kept until this node's own
 * apply shows a result, handed again in order to each new leader. The log's key makes the copies
 * harmless.
 */
export class Forwarder {
  readonly #host: ForwarderHost
  readonly #failpoints: Failpoints
  /** Tells this process's results from others': two lives of a node never share it. */
  readonly #origin: number
  readonly #pending = new PendingWrites<Pending>()
  #pendingBytes = 0
  #outgoing: Uint8Array[] = []
  #flushing = false
  /** Forwarded to this leader before it had authority to propose. */
  #early: { readonly from: RaftId; readonly forwarded: ForwardedCommand }[] = []
  #earlyBytes = 0
  #malformed = 0
  #complainedMs = -Infinity
  #timer: Timer | null = null
  #closed = false

  constructor(host: ForwarderHost) {
    this.#host = host
    this.#failpoints = host.failpoints ?? NO_FAILPOINTS
    this.#origin = host.random.uint32()
  }

  get pending(): number {
    return this.#pending.size
  }

  /** Commands of peers that this node kept out of the log, since the start. */
  get malformedCommands(): number {
    return this.#malformed
  }

  submit(submission: Submission, done: Done): void {
    if (
      this.#pending.size >= FORWARDER.maxPending ||
      this.#pending.span >= FORWARDER.maxPendingSpan ||
      this.#pendingBytes > FORWARDER.maxPendingBytes
    ) {
      done({ error: this.#error('OVERLOADED', 'this node holds too many unanswered writes') })
      return
    }
    const needed = levelOfSubmission(submission)
    if (needed > this.#host.level()) {
      const message = `this needs feature level ${needed}, and the cluster is at ${this.#host.level()}: it waits for the end of an upgrade (parley upgrade finalize)`
      done({ error: this.#error('BEHIND', message) })
      return
    }
    const request = this.#pending.nextNumber
    const command = encodeSubmission(submission, this.#origin, request)
    const sinceMs = this.#host.clock.monotonicMs()
    const pending = { request, msgId: submission.msgId, command, sinceMs, done, attempts: 0 }
    this.#pending.push(pending)
    this.#pendingBytes += command.length
    this.#sweepLater(FORWARDER.holdMs)
    this.#hand(pending)
  }

  /** Apply reached a command; `true` if it was one of ours that still waits. */
  result(origin: number, request: number, result: WriteResult): boolean {
    if (origin !== this.#origin) return false
    const pending = this.#pending.get(request)
    if (pending === undefined || pending.msgId !== result.msgId) return false
    this.#settle(pending, result)
    return true
  }

  /** There may be a new way to the leader: everything unanswered goes again, in order. */
  handAgain(): void {
    this.#outgoing = []
    for (const pending of this.#pending) this.#hand(pending)
  }

  /** This node leads and may propose: first what came too early from others, then our own. */
  authority(): void {
    const early = this.#early
    this.leaderLost()
    for (const { from, forwarded } of early) {
      const { command } = forwarded
      if (!this.#admits(command)) this.#refuse(from, [refusal(forwarded, 'DISK_FULL')])
      else if (this.#host.replica()!.propose(command) === 'overloaded') {
        this.#refuse(from, [refusal(forwarded, 'OVERLOADED')])
      }
    }
    this.handAgain()
  }

  leaderLost(): void {
    this.#early = []
    this.#earlyBytes = 0
  }

  /** Commands that a peer's gateway forwards to this node as leader. */
  received(from: RaftId, commands: readonly ForwardedCommand[]): void {
    const replica = this.#host.replica()
    // Whoever leads now is handed them again.
    if (replica === null || replica.leader !== this.#host.raftId) return
    this.#failpoints.hit('gateway.forwardReceived')
    const refused: ForwardRefusal[] = []
    for (const forwarded of commands) {
      const code = refusalOf(forwarded.command, this.#host.limits, this.#host.level())
      if (code === 'BEHIND') {
        refused.push(refusal(forwarded, code))
      } else if (code !== null) {
        this.#malformed += 1
        this.#complain(from, code)
        refused.push(refusal(forwarded, code))
      } else if (!this.#admits(forwarded.command)) {
        refused.push(refusal(forwarded, 'DISK_FULL'))
      } else if (!this.#take(replica, from, forwarded)) {
        refused.push(refusal(forwarded, 'OVERLOADED'))
      }
    }
    this.#refuse(from, refused)
  }

  /** The leader did not take these: certain for a write that went out once. */
  refused(refusals: readonly ForwardRefusal[]): void {
    for (const { origin, request, code } of refusals) {
      const pending = this.#pending.get(request)
      // An earlier life of this node counted its writes as this one does.
      if (origin !== this.#origin || pending === undefined || pending.attempts !== 1) continue
      this.#settle(pending, { error: this.#error(code, REFUSALS[code] ?? REFUSED) })
    }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const pending of this.#pending) this.#giveUp(pending)
  }

  /** False: certainly not taken. */
  #take(replica: Replica, from: RaftId, forwarded: ForwardedCommand): boolean {
    const { command } = forwarded
    const taken = replica.propose(command)
    if (taken !== 'notLeader') return taken === 'taken'
    if (
      this.#early.length >= FORWARDER.maxPending ||
      this.#earlyBytes + command.length > FORWARDER.maxPendingBytes
    ) {
      return false
    }
    this.#early.push({ from, forwarded })
    this.#earlyBytes += command.length
    return true
  }

  #refuse(from: RaftId, refusals: readonly ForwardRefusal[]): void {
    for (const body of refusalBodies(refusals)) {
      this.#host.sendJson(from, PeerFrameKind.forwardRefused, body)
    }
  }

  #complain(from: RaftId, code: ErrorCode): void {
    const now = this.#host.clock.monotonicMs()
    if (now - this.#complainedMs < FORWARDER.complainAgainMs) return
    this.#complainedMs = now
    this.#host.logger.warn('forward.refused', {
      from,
      code,
      message:
        'a peer forwards a write that this node would not take from a client: run the same version with the same limits on every node',
    })
  }

  #hand(pending: Pending): void {
    const replica = this.#host.replica()
    const leader = replica?.leader ?? NO_ONE
    if (replica === null || leader === NO_ONE) return
    if (leader !== this.#host.raftId) {
      if (!this.#host.isUp(leader)) return
      pending.attempts += 1
      this.#outgoing.push(pending.command)
      this.#flushLater()
      return
    }
    const isAdmitted = this.#admits(pending.command)
    const taken = isAdmitted ? replica.propose(pending.command) : 'diskFull'
    if (taken === 'diskFull' && pending.attempts === 0) {
      this.#settle(pending, { error: this.#error('DISK_FULL', REFUSALS.DISK_FULL) })
    } else if (taken === 'taken') {
      pending.attempts += 1
      this.#failpoints.hit('gateway.proposalTaken')
    } else if (taken === 'overloaded' && pending.attempts === 0) {
      this.#settle(pending, {
        error: this.#error('OVERLOADED', REFUSALS.OVERLOADED),
      })
    }
  }

  /** Only who leads can tell; whoever comes early is asked again by `authority`. */
  #admits(command: Uint8Array): boolean {
    const host = this.#host
    return host.replica()?.hasAuthority !== true || host.admits?.(command) !== false
  }

  #flushLater(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#host.clock.defer(() => {
      this.#flushing = false
      const commands = this.#outgoing
      this.#outgoing = []
      const leader = this.#host.replica()?.leader ?? NO_ONE
      // Whoever leads now gets everything unanswered by `handAgain`.
      if (leader === NO_ONE || leader === this.#host.raftId) return
      for (const frame of encodeForward(commands)) {
        this.#host.send(leader, frame)
        this.#failpoints.hit('gateway.forwarded')
      }
    })
  }

  #settle(pending: Pending, result: WriteResult | { error: WireError }): void {
    this.#pending.delete(pending.request)
    this.#pendingBytes -= pending.command.length
    pending.done(result)
  }

  /** Not before the oldest write could be due; while nothing waits there is no timer. */
  #sweepLater(delayMs: number): void {
    if (this.#closed) return
    this.#timer ??= this.#host.clock.after(delayMs, () => {
      this.#timer = null
      this.#sweep()
    })
  }

  #sweep(): void {
    const now = this.#host.clock.monotonicMs()
    for (const pending of this.#pending) {
      const ageMs = now - pending.sinceMs
      if (ageMs < FORWARDER.holdMs) break
      if (pending.attempts === 0 || ageMs >= FORWARDER.unknownMs) this.#giveUp(pending)
    }
    for (const { sinceMs } of this.#pending) {
      this.#sweepLater(Math.max(FORWARDER.sweepMs, sinceMs + FORWARDER.holdMs - now))
      return
    }
  }

  #giveUp(pending: Pending): void {
    const error =
      pending.attempts === 0
        ? this.#error('NO_LEADER', 'no leader took the write; send it again with the same msgId')
        : this.#error('OUTCOME_UNKNOWN', 'no result yet; send it again with the same msgId')
    this.#settle(pending, { error })
  }

  #error(code: ErrorCode, message: string): WireError {
    const retryAfterMs = code === 'DISK_FULL' ? FORWARDER.diskFullMs : FORWARDER.againMs
    const retry = ERROR_CODES[code].retryable ? { retryAfterMs } : {}
    return wireError(code, message, { ...retry, leader: this.#host.leaderRef() ?? null })
  }
}

function refusal({ origin, request }: ForwardedCommand, code: ErrorCode): ForwardRefusal {
  return { origin, request, code }
}
