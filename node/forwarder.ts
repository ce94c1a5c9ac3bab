import {
  type Clock,
  type Logger,
  NO_ONE,
  PeerFrameKind,
  type RaftId,
  type Random,
  type Replica,
  type Timer,
} from '#cluster'
import { type ErrorCode, wireError, type WireError } from '#protocol'
import { decodeForward, encodeForward } from './forward-frame.ts'
import type { Submission } from './gateway/backend.ts'
import { encodeCommand } from './state-machine/command-codec.ts'
import type { WriteResult } from './state-machine/types.ts'

const FORWARDER = {
  /** A write that was never handed to a leader is refused after this: certainly not stored. */
  holdMs: 2_000,
  /** No result for this long after a leader had it: its outcome is unknown. */
  unknownMs: 5_000,
  maxPending: 50_000,
  maxPendingBytes: 64 << 20,
  sweepMs: 100,
} as const

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
  readonly raftId: RaftId
  replica(): Replica | null
  send(to: RaftId, kind: PeerFrameKind, body: Uint8Array): boolean
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  isUp(id: RaftId): boolean
  leaderRef(): WireError['leader']
}

/**
 * Takes writes to the leader (rule A6): in arrival order on one link, kept until this node's own
 * apply shows a result, handed again in order to each new leader. The log's key makes the copies
 * harmless.
 */
export class Forwarder {
  readonly #host: ForwarderHost
  /** Tells this process's results from others': two lives of a node never share it. */
  readonly #origin: number
  /** In arrival order, which a `Map` keeps. */
  readonly #pending = new Map<number, Pending>()
  #pendingBytes = 0
  #request = 0
  #outgoing: Uint8Array[] = []
  #flushing = false
  /** Forwarded to this leader before it had authority to propose. */
  #early: { from: RaftId; command: Uint8Array; request: number }[] = []
  #earlyBytes = 0
  #timer: Timer
  #closed = false

  constructor(host: ForwarderHost) {
    this.#host = host
    this.#origin = host.random.uint32()
    this.#timer = this.#sweepLater()
  }

  get pending(): number {
    return this.#pending.size
  }

  submit(submission: Submission, done: Done): void {
    if (
      this.#pending.size >= FORWARDER.maxPending ||
      this.#pendingBytes > FORWARDER.maxPendingBytes
    ) {
      done({ error: this.#error('OVERLOADED', 'this node holds too many unanswered writes') })
      return
    }
    this.#request = (this.#request + 1) % 2 ** 32
    const request = this.#request
    const command = encodeCommand({ ...submission, origin: this.#origin, request })
    const sinceMs = this.#host.clock.monotonicMs()
    const pending = { request, msgId: submission.msgId, command, sinceMs, done, attempts: 0 }
    this.#pending.set(request, pending)
    this.#pendingBytes += command.length
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
    for (const pending of this.#pending.values()) this.#hand(pending)
  }

  /** This node leads and may propose: first what came too early from others, then our own. */
  authority(): void {
    const early = this.#early
    this.leaderLost()
    for (const { from, command, request } of early) {
      if (this.#host.replica()!.propose(command) === 'overloaded') this.#refuse(from, [request])
    }
    this.handAgain()
  }

  leaderLost(): void {
    this.#early = []
    this.#earlyBytes = 0
  }

  /** Commands that a peer's gateway forwards to this node as leader. */
  received(from: RaftId, body: Uint8Array): void {
    const replica = this.#host.replica()
    const refused: number[] = []
    for (const { command, request } of decodeForward(body)) {
      const taken = replica?.propose(command) ?? 'notLeader'
      if (taken === 'taken') continue
      const waits = taken === 'notLeader' && replica?.leader === this.#host.raftId
      if (waits && this.#earlyBytes + command.length <= FORWARDER.maxPendingBytes) {
        this.#early.push({ from, command, request })
        this.#earlyBytes += command.length
      } else if (waits || taken === 'overloaded') {
        refused.push(request)
      }
    }
    if (refused.length > 0) this.#refuse(from, refused)
  }

  /** The leader did not take these: certain for a write that went out once. */
  refused(requests: readonly { request: number; code: ErrorCode }[]): void {
    for (const { request, code } of requests) {
      const pending = this.#pending.get(request)
      if (pending === undefined || pending.attempts !== 1) continue
      this.#settle(pending, { error: this.#error(code, 'the leader takes no more writes now') })
    }
  }

  close(): void {
    this.#closed = true
    this.#timer.cancel()
    for (const pending of [...this.#pending.values()]) this.#giveUp(pending)
  }

  #refuse(from: RaftId, requests: readonly number[]): void {
    const refused = requests.map((request) => ({ request, code: 'OVERLOADED' }))
    this.#host.sendJson(from, PeerFrameKind.forwardRefused, refused)
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
    const taken = replica.propose(pending.command)
    if (taken === 'taken') pending.attempts += 1
    else if (taken === 'overloaded' && pending.attempts === 0) {
      this.#settle(pending, {
        error: this.#error('OVERLOADED', 'the leader takes no more writes now'),
      })
    }
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
      for (const body of encodeForward(commands)) {
        this.#host.send(leader, PeerFrameKind.forward, body)
      }
    })
  }

  #settle(pending: Pending, result: WriteResult | { error: WireError }): void {
    this.#pending.delete(pending.request)
    this.#pendingBytes -= pending.command.length
    pending.done(result)
  }

  #sweepLater(): Timer {
    return this.#host.clock.after(FORWARDER.sweepMs, () => {
      if (this.#closed) return
      const now = this.#host.clock.monotonicMs()
      for (const pending of this.#pending.values()) {
        const ageMs = now - pending.sinceMs
        if (ageMs < FORWARDER.holdMs) break
        if (pending.attempts === 0 || ageMs >= FORWARDER.unknownMs) this.#giveUp(pending)
      }
      this.#timer = this.#sweepLater()
    })
  }

  #giveUp(pending: Pending): void {
    const error =
      pending.attempts === 0
        ? this.#error('NO_LEADER', 'no leader took the write; send it again with the same msgId')
        : this.#error('OUTCOME_UNKNOWN', 'no result yet; send it again with the same msgId')
    this.#settle(pending, { error })
  }

  #error(code: ErrorCode, message: string): WireError {
    return wireError(code, message, { retryAfterMs: 200, leader: this.#host.leaderRef() ?? null })
  }
}
