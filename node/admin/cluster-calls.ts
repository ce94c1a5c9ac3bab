import {
  assert,
  type Clock,
  type Logger,
  NO_ONE,
  PeerFrameKind,
  type RaftId,
  type Random,
  type Timer,
} from '#cluster'
import { adminProblem } from './admin-problem.ts'
import {
  type AnswerFrame,
  type CallFrame,
  MAX_ANSWER_LENGTH,
  MAX_PARAMETERS_LENGTH,
  MAX_WAIT_MS,
  problemIn,
  resultIn,
} from './call-frame.ts'
import type { CallAnswer, Operation, OperationResult } from './operation.ts'

const CALLS = {
  /** Without another word of the caller. */
  waitMs: 10_000,
  /** How often calls that wait are looked after. */
  lookMs: 100,
  /** A repeatable call goes again after so long without an answer. */
  againMs: 1_000,
  /** At one time, of this node's callers; and for peers. */
  maxWaiting: 64,
  maxRunning: 64,
  /** Answers that a late copy of a call gets once more, and how long they are at most. */
  maxAnswered: 64,
  maxAnsweredLength: 4_096,
} as const

export interface ClusterCallsHost {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly self: RaftId
  /** What this node can do, by name. */
  readonly operations: ReadonlyMap<string, Operation>
  /** Who leads, as far as this node knows, itself included; `NO_ONE`. */
  leader(): RaftId
  /** This node leads and knows all that was committed. */
  leads(): boolean
  /** The member of that name, `null` if there is none. */
  idOf(name: string): RaftId | null
  isMember(id: RaftId): boolean
  isUp(id: RaftId): boolean
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
}

export interface Call {
  readonly operation: string
  /** Needed where the operation is for one node: its name. */
  readonly node?: string
  readonly parameters?: object
  /** @default 10 s, at most 120 s */
  readonly waitMs?: number
  /** Waits for an answer, and for no connection: whom this node does not reach now is not asked. */
  readonly isForNow?: boolean
}

interface Waiting {
  readonly frame: Omit<CallFrame, 'waitMs'>
  readonly operation: Operation
  readonly node: string | null
  readonly deadlineMs: number
  readonly isForNow: boolean
  readonly done: (answer: CallAnswer) => void
  /** Who may be at it; `null`: certainly nobody. */
  sentTo: RaftId | null
  sentMs: number
  /** Somebody had it once, and nothing came back. */
  isMaybeDone: boolean
}

/**
 * Takes an operator's calls to the node that can do what he asks: whoever leads, or the one that he
 * names. A call that certainly was not taken is sent again, to a new leader too; one that may have been
 * taken only if that does no harm, else its outcome is unknown.
 */
export class ClusterCalls {
  readonly #host: ClusterCallsHost
  readonly #origin: number
  readonly #waiting = new Map<number, Waiting>()
  /** Calls of peers that are being done, so that a copy does not begin them twice. */
  readonly #running = new Set<string>()
  /** What they came to hear, for copies that come late: what was undone since is not done again. */
  readonly #answered = new Map<string, AnswerFrame>()
  #lastId = 0
  #timer: Timer | null = null
  #closed = false

  constructor(host: ClusterCallsHost) {
    this.#host = host
    this.#origin = host.random.uint32()
  }

  /** Never rejects. */
  call({
    operation: name,
    node,
    parameters = {},
    waitMs = CALLS.waitMs,
    isForNow = false,
  }: Call): Promise<CallAnswer> {
    const operation = this.#host.operations.get(name)
    assert(operation !== undefined, `there is no operation ${name}`)
    assert(operation.at === 'leader' || node !== undefined, `${name} is for a node`)
    const text = JSON.stringify(parameters)
    if (this.#closed) return Promise.resolve({ problem: closing() })
    if (this.#waiting.size >= CALLS.maxWaiting || text.length > MAX_PARAMETERS_LENGTH) {
      const message = `this node waits for ${CALLS.maxWaiting} calls already, or this one is too large`
      return Promise.resolve({ problem: adminProblem('OVERLOADED', message) })
    }
    const { clock } = this.#host
    const id = (this.#lastId = (this.#lastId + 1) % 2 ** 32)
    return new Promise((done) => {
      const waiting: Waiting = {
        frame: { origin: this.#origin, id, operation: name, parameters: text },
        operation,
        node: operation.at === 'node' ? node! : null,
        deadlineMs: clock.monotonicMs() + Math.min(waitMs, MAX_WAIT_MS),
        isForNow,
        done,
        sentTo: null,
        sentMs: 0,
        isMaybeDone: false,
      }
      this.#waiting.set(id, waiting)
      this.#hand(waiting)
      this.#lookLater()
    })
  }

  /** A peer's call. It is answered, unless the answer is lost. */
  received(from: RaftId, call: CallFrame): void {
    const key = `${from}/${call.origin}/${call.id}`
    if (this.#closed || this.#running.has(key)) return
    const before = this.#answered.get(key)
    if (before !== undefined) {
      this.#host.sendJson(from, PeerFrameKind.operatorAnswer, before)
      return
    }
    const answer = (outcome: AnswerFrame['outcome'], value: object): AnswerFrame => {
      const body = JSON.stringify(value)
      const isSmall = body.length <= MAX_ANSWER_LENGTH
      const large = adminProblem('INTERNAL', `the answer to ${call.operation} is too large`)
      const frame: AnswerFrame = {
        ...{ origin: call.origin, id: call.id },
        outcome: isSmall ? outcome : 'problem',
        body: isSmall ? body : JSON.stringify(large),
      }
      this.#host.sendJson(from, PeerFrameKind.operatorAnswer, frame)
      return frame
    }
    const operation = this.#host.operations.get(call.operation)
    if (!this.#host.isMember(from)) {
      const message = 'the node that was asked is no member of this cluster: ask another one'
      answer('problem', adminProblem('UNREACHABLE', message))
    } else if (operation === undefined) {
      const message = `the node that ${call.operation} is for does not know it: upgrade that node`
      answer('problem', adminProblem('UNSUPPORTED', message))
    } else if (this.#running.size >= CALLS.maxRunning) {
      const message = `${CALLS.maxRunning} calls are under way there: ask again`
      answer('problem', adminProblem('OVERLOADED', message))
    } else {
      this.#running.add(key)
      const deadlineMs = this.#host.clock.monotonicMs() + call.waitMs
      void this.#run(operation, call.parameters, { deadlineMs, from }).then((outcome) => {
        this.#running.delete(key)
        if (this.#closed) return
        if (outcome === 'notLeader') answer('notLeader', {})
        else if ('result' in outcome) this.#remember(key, answer('result', outcome.result))
        else this.#remember(key, answer('problem', outcome.problem))
      })
    }
  }

  answered(from: RaftId, { origin, id, outcome, body }: AnswerFrame): void {
    const waiting = this.#waiting.get(id)
    if (origin !== this.#origin || waiting === undefined) return
    // It may have been sent to others as well: theirs is as good an answer, but no refusal.
    if (outcome === 'result') this.#settle(waiting, { result: resultIn(body) })
    else if (waiting.sentTo !== from) return
    else if (outcome === 'problem') this.#settle(waiting, { problem: problemIn(body) })
    else waiting.sentTo = null
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const waiting of this.#waiting.values()) this.#giveUp(waiting)
  }

  #remember(key: string, frame: AnswerFrame): void {
    if (frame.body.length > CALLS.maxAnsweredLength) return
    const [oldest] = this.#answered.keys()
    if (this.#answered.size >= CALLS.maxAnswered) this.#answered.delete(oldest!)
    this.#answered.set(key, frame)
  }

  #run(
    operation: Operation,
    parameters: string,
    call: { deadlineMs: number; from: RaftId },
  ): Promise<OperationResult> {
    const run = async (): Promise<OperationResult> => {
      if (operation.at === 'leader' && !this.#host.leads()) return 'notLeader'
      const given = parsed(parameters)
      if (given === undefined) {
        return { problem: adminProblem('INVALID_MESSAGE', 'the parameters are no JSON') }
      }
      return operation.run(given, call)
    }
    return run().catch((error: unknown) => {
      this.#host.logger.error('operation.failed', { operation: operation.name, error })
      const message = `${operation.name} failed: see the log of the node that did it`
      return { problem: adminProblem('INTERNAL', message) }
    })
  }

  #hand(waiting: Waiting): void {
    const { self } = this.#host
    const { operation, node } = waiting
    const to = node === null ? this.#host.leader() : this.#host.idOf(node)
    if (to === null) {
      const message = `no member is called ${node}: see parley members`
      this.#settle(waiting, { problem: adminProblem('UNKNOWN_MEMBER', message) })
    } else if (to === self) {
      if (operation.at === 'leader' && !this.#host.leads()) return
      this.#begin(waiting, self)
      const { deadlineMs, frame } = waiting
      void this.#run(operation, frame.parameters, { deadlineMs, from: self }).then((outcome) => {
        if (outcome === 'notLeader') waiting.sentTo = null
        else this.#settle(waiting, outcome)
      })
    } else if (to !== NO_ONE && this.#host.isUp(to)) {
      const waitMs = Math.max(0, Math.floor(waiting.deadlineMs - this.#host.clock.monotonicMs()))
      const frame: CallFrame = { ...waiting.frame, waitMs }
      if (this.#host.sendJson(to, PeerFrameKind.operatorCall, frame)) this.#begin(waiting, to)
    } else if (waiting.isForNow) this.#giveUp(waiting)
  }

  #begin(waiting: Waiting, to: RaftId): void {
    waiting.sentTo = to
    waiting.sentMs = this.#host.clock.monotonicMs()
  }

  #look(): void {
    const now = this.#host.clock.monotonicMs()
    for (const waiting of this.#waiting.values()) {
      if (now >= waiting.deadlineMs) this.#giveUp(waiting)
      else if (waiting.sentTo === null) this.#hand(waiting)
      else if (waiting.sentTo !== this.#host.self) this.#lookAfter(waiting, waiting.sentTo, now)
    }
  }

  /** It is on its way, or its answer is, or either was lost. */
  #lookAfter(waiting: Waiting, to: RaftId, now: number): void {
    const isGone = !this.#host.isUp(to)
    if (!waiting.operation.isRepeatable) {
      if (isGone) this.#giveUp(waiting)
      return
    }
    if (!isGone && now - waiting.sentMs < CALLS.againMs) return
    waiting.isMaybeDone = true
    waiting.sentTo = null
    this.#hand(waiting)
  }

  #giveUp(waiting: Waiting): void {
    const { sentTo, isMaybeDone, node, operation } = waiting
    if (sentTo !== null || isMaybeDone) {
      const message = `no answer to ${operation.name}: it may have been done, or begun; look with parley members and parley status before you ask again`
      this.#settle(waiting, { problem: adminProblem('OUTCOME_UNKNOWN', message) })
    } else if (node === null) {
      const message =
        'no leader could be asked: a majority of the members must be up; see parley status'
      this.#settle(waiting, { problem: adminProblem('NO_LEADER', message) })
    } else {
      const message = `this node cannot reach ${node}: ask another node, or ${node} itself`
      this.#settle(waiting, { problem: adminProblem('UNREACHABLE', message) })
    }
  }

  #settle(waiting: Waiting, answer: CallAnswer): void {
    if (this.#waiting.delete(waiting.frame.id)) waiting.done(answer)
  }

  #lookLater(): void {
    if (this.#closed || this.#waiting.size === 0) return
    this.#timer ??= this.#host.clock.after(CALLS.lookMs, () => {
      this.#timer = null
      this.#look()
      this.#lookLater()
    })
  }
}

function closing() {
  return adminProblem('DRAINING', 'this node is going away: ask another one')
}

/** `undefined`: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
