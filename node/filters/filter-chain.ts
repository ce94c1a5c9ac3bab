import { encodeFrame, type RequestFrame, type WireError, wireError } from '#protocol'
import {
  CommandKind,
  isKeyed,
  type KeyedCommand,
  type Submission,
} from '../state-machine/commands.ts'
import { directConversationId } from '../state-machine/conversation-id.ts'
import type { WriteResult } from '../state-machine/types.ts'
import type { Moderation } from './moderation.ts'
import type { RateLimiter } from './rate-limiter.ts'

export interface FilterBounds {
  /** Writes that wait for a verdict, or behind one that does. */
  readonly maxWaiting: number
  readonly maxWaitingBytes: number
}

const DEFAULT_FILTER_BOUNDS: FilterBounds = {
  maxWaiting: 10_000,
  maxWaitingBytes: 32 * 1024 * 1024,
}

type Done = (result: WriteResult | { error: WireError }) => void
type Submit = (submission: Submission, done: Done) => void
type Write = Extract<Submission, { kind: KeyedCommand['kind'] }>

export interface Filters {
  /** `null`: nobody is slowed down. */
  readonly rate: RateLimiter | null
  /** `null`: nobody is asked. */
  readonly moderation: Moderation | null
}

export interface FilterChainParts extends Filters {
  readonly bounds?: Partial<FilterBounds>
  /** What the chain lets through goes on here. */
  readonly next: Submit
}

interface Waiting {
  readonly write: Write
  readonly bytes: number
  readonly done: Done
  /** Whoever was asked, if somebody was: an operator may have named another one since. */
  readonly moderation: Moderation | null
  /** `null`: not known yet. */
  verdict: 'accept' | 'refuse' | 'fail' | null
}

/** Everything that looks at writes between a gateway and the forwarder: see SPEC.md beside it. */
export class FilterChain {
  /** Verdicts of the hook; `fail`: none came in time. */
  readonly verdicts = { accept: 0, refuse: 0, fail: 0 }
  readonly #next: Submit
  readonly #bounds: FilterBounds
  #filters: Filters
  #limited = 0
  /** By device and conversation: writes in the order in which they came. */
  readonly #lanes = new Map<string, Waiting[]>()
  #waiting = 0
  #waitingBytes = 0

  constructor(parts: FilterChainParts) {
    this.#filters = parts
    this.#next = parts.next
    this.#bounds = { ...DEFAULT_FILTER_BOUNDS, ...parts.bounds }
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Writes that were answered `RATE_LIMITED`. */
  get limited(): number {
    return this.#limited
  }

  /** Other filters for what comes from now on; what waits for a verdict gets that of whom was asked. */
  use(filters: Filters): void {
    this.#filters = filters
  }

  /** `done` is called once, with a failure of a filter or with what became of the write. */
  submit(submission: Submission, done: Done): void {
    const { rate, moderation } = this.#filters
    if (!isWrite(submission)) {
      this.#next(submission, done)
      return
    }
    const limited = rate?.refusal(submission.user, submission.device) ?? null
    if (limited !== null) {
      this.#limited += 1
      done({ error: limited })
    } else this.#moderate(submission, done, moderation)
  }

  #moderate(write: Write, done: Done, moderation: Moderation | null): void {
    if (moderation === null && this.#waiting === 0) {
      this.#next(write, done)
      return
    }
    const lane = laneOf(write)
    const before = this.#lanes.get(lane)
    const question = moderation === null ? null : questionOf(write)
    if (before === undefined && question === null) {
      this.#next(write, done)
      return
    }
    const bytes = 'body' in write ? write.body.length : 0
    const { maxWaiting, maxWaitingBytes } = this.#bounds
    if (this.#waiting >= maxWaiting || this.#waitingBytes + bytes > maxWaitingBytes) {
      done({ error: overloaded('Too many writes wait for a verdict') })
      return
    }
    const verdict = question === null ? 'accept' : null
    const one: Waiting = { write, bytes, done, moderation, verdict }
    this.#waiting += 1
    this.#waitingBytes += bytes
    if (before === undefined) this.#lanes.set(lane, [one])
    else before.push(one)
    if (question === null) return
    moderation?.ask(question, (verdict) => {
      this.verdicts[verdict] += 1
      one.verdict = verdict
      this.#release(lane)
    })
  }

  /** Those at the front whose verdict is known go on, in order. */
  #release(lane: string): void {
    const queue = this.#lanes.get(lane)
    if (queue === undefined) return
    let ready = 0
    while (ready < queue.length && queue[ready]!.verdict !== null) ready += 1
    const released = queue.splice(0, ready)
    if (queue.length === 0) this.#lanes.delete(lane)
    for (const one of released) {
      this.#waiting -= 1
      this.#waitingBytes -= one.bytes
      this.#settle(one)
    }
  }

  #settle({ write, done, moderation, verdict }: Waiting): void {
    if (verdict === 'refuse') this.#next(refusalOf(write), done)
    else if (verdict === 'fail' && moderation?.onFailure === 'closed') {
      done({ error: overloaded('No verdict came on this write') })
    } else this.#next(write, done)
  }
}

const isWrite = (submission: Submission): submission is Write => isKeyed(submission.kind)

/** A device's writes to one conversation; no name has a space in it. */
function laneOf(write: Write): string {
  return `${write.user} ${write.device} ${conversationOf(write)}`
}

function conversationOf(write: Write): string {
  if (write.kind !== CommandKind.message) return write.conv
  return write.conv ?? directConversationId(write.user, write.to!)
}

/** The key with a refusal instead of what was to be written: its first result, if there is none yet. */
function refusalOf(write: Write): Submission {
  const { user, device, msgId, prev, since } = write
  const conv = conversationOf(write)
  const kind = CommandKind.refuse
  return { kind, user, device, msgId, prev, since, conv, code: 'REJECTED_SPAM' }
}

/** What a hook is asked: who, where, and the frame as clients write it; `null`: nothing to judge. */
function questionOf(write: Write): string | null {
  const frame = frameOf(write)
  if (frame === null) return null
  const { user, device } = write
  const who = JSON.stringify({ user, device, conversation: conversationOf(write) })
  return `${who.slice(0, -1)},"frame":${encodeFrame(frame, 'parley.v1.json')}}`
}

function frameOf(write: Write): RequestFrame | null {
  const { msgId } = write
  if (write.kind === CommandKind.message) {
    const { body } = write
    const where = write.conv === null ? { to: write.to! } : { conv: write.conv }
    const replyTo = write.replyTo ?? undefined
    return { t: 'msg:R', id: 0, ...where, msgId, body, replyTo }
  }
  if (write.kind !== CommandKind.edit) return null
  const { conv, target: seq, body } = write
  return { t: 'edit:R', id: 0, conv, msgId, seq, body }
}

function overloaded(sentence: string): WireError {
  return wireError('OVERLOADED', `${sentence}; send the same again later.`, { retryAfterMs: 1_000 })
}
