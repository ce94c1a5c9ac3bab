import { type Clock, counterCells, CounterCell, type Logger, type Timer } from '#cluster'
import type { WireError } from '#protocol'
import {
  CommandKind,
  type Removal,
  type Submission,
  SYSTEM_HEAD,
} from '../state-machine/commands.ts'
import type { ConversationView, StateReader, WriteResult } from '../state-machine/types.ts'
import { ownBodies } from './own-bodies.ts'
import { planRemovals } from './plan-removals.ts'

export interface RetentionOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly state: StateReader
  /** Whether this node leads and knows everything committed before its term. */
  leads(): boolean
  /** Log time in ms as this leader would stamp it now; asked only while it leads. */
  now(): number
  submit(submission: Submission, done: (result: WriteResult | { error: WireError }) => void): void
}

/** Time between two looks at the next conversations. */
const TICK_MS = 1_000
/** Conversations looked at in one tick. */
const CONVERSATIONS_PER_TICK = 256
/** Users looked at in one tick whose messages are to go. */
const ERASURES_PER_TICK = 4
/** Time between two pages of a long walk: reads for clients come first. */
const PAUSE_MS = 10
/** Conversations of which is known that nothing changed since the last look. */
const MAX_REMEMBERED = 100_000

/**
 * The leader's part of retention (rule A9): looks at the conversations that have a policy and at the
 * users to be erased, a few at a time, and proposes what is to go. What goes is decided by the log
 * alone: every node removes the same, and whoever leads next goes on from there.
 */
export class Retention {
  /** Removals that this leader got into the log. */
  readonly proposed = counterCells('truncate', 'expire')
  /** Erasures that it saw through to the end. */
  readonly erased = new CounterCell()
  /** Looks that ended with an error; the next one goes on. */
  readonly failures = new CounterCell()
  readonly #options: RetentionOptions
  /** Id → what it was when nothing was to go, and when that may change by time alone. */
  readonly #quiet = new Map<string, { readonly seen: string; readonly until: number }>()
  /** The conversation looked at last. */
  #cursor = ''
  /** The user looked at last: one who goes on talking keeps nobody else from being erased. */
  #erasing = ''
  #timer: Timer | null = null
  #wake: (() => void) | null = null
  #closed = false

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#later()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#wake?.()
  }

  #later(): void {
    this.#timer = this.#options.clock.after(TICK_MS, () => {
      this.#tick().then(
        () => this.#again(),
        (error: unknown) => {
          if (!this.#closed) {
            this.failures.add()
            this.#options.logger.warn('retention.failed', { error })
          }
          this.#again()
        },
      )
    })
  }

  #again(): void {
    if (!this.#closed) this.#later()
  }

  async #tick(): Promise<void> {
    if (!this.#mayGoOn()) {
      this.#quiet.clear()
      return
    }
    const { state } = this.#options
    const ids = await state.retainedConversations(this.#cursor, CONVERSATIONS_PER_TICK)
    this.#cursor = ids.length < CONVERSATIONS_PER_TICK ? '' : ids.at(-1)!
    for (const id of ids) {
      if (!this.#mayGoOn()) return
      const conversation = await state.conversation(id)
      if (conversation !== null) await this.#look(conversation)
    }
    const users = await state.erasingUsers(this.#erasing, ERASURES_PER_TICK)
    this.#erasing = users.length < ERASURES_PER_TICK ? '' : users.at(-1)!
    for (const user of users) await this.#erase(user)
  }

  /** Done once a walk over all of the user's conversations found nothing left. */
  async #erase(user: string): Promise<void> {
    const { state, logger } = this.#options
    let isClean = true
    for (const conv of await state.conversationIdsOf(user)) {
      for (let after: number | null = 0; after !== null;) {
        if (!this.#mayGoOn()) return
        const place = { conv, user, after }
        const { seqs, next } = await ownBodies(state, place, () => this.#pause())
        if (seqs.length > 0) {
          isClean = false
          if (!(await this.#propose({ op: 'expire', from: conv, seqs }))) return
        }
        after = next
      }
    }
    if (!isClean || !this.#mayGoOn()) return
    const operation = { op: 'erased', account: user } as const
    const command = { kind: CommandKind.account, ...SYSTEM_HEAD, operation } as const
    if (!(await this.#submit(command))) return
    this.erased.add()
    logger.info('user.erased', { user })
  }

  async #look(conversation: ConversationView): Promise<void> {
    const { state } = this.#options
    const { id, head, firstSeq, retention: policy } = conversation
    if (policy === null || !this.#mayGoOn()) return
    const now = this.#options.now()
    const seen = JSON.stringify([head, firstSeq, policy])
    const quiet = this.#quiet.get(id)
    if (quiet !== undefined && quiet.seen === seen && now < quiet.until) return
    const pause = () => this.#pause()
    const removals = await planRemovals({ state, conversation, policy, now, pause })
    for (const removal of removals) {
      if (!this.#mayGoOn() || !(await this.#propose(removal))) return
      this.#options.logger.info('retention.removed', described(removal))
    }
    if (removals.length > 0) return
    if (this.#quiet.size >= MAX_REMEMBERED) this.#quiet.clear()
    this.#quiet.set(id, { seen, until: now + (await this.#quietMs(conversation, now)) })
  }

  /** For how long nothing can grow too old. */
  async #quietMs(
    { id, retention, firstSeq, head }: ConversationView,
    now: number,
  ): Promise<number> {
    const { maxAgeMs } = retention!
    if (maxAgeMs === undefined || firstSeq > head) return Number.POSITIVE_INFINITY
    const page = await this.#options.state.allEventsAfter(id, firstSeq - 1, 1)
    const oldest = page?.events[0]
    return oldest === undefined ? 0 : oldest.logTime + maxAgeMs - now
  }

  async #propose(removal: Removal): Promise<boolean> {
    const isDone = await this.#submit({ kind: CommandKind.retention, ...SYSTEM_HEAD, removal })
    if (isDone) this.proposed[removal.op].add()
    return isDone
  }

  #submit(submission: Submission): Promise<boolean> {
    return new Promise((resolve) => {
      this.#options.submit(submission, (result) => resolve('ok' in result && result.ok))
    })
  }

  #mayGoOn(): boolean {
    return !this.#closed && this.#options.leads()
  }

  #pause(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(PAUSE_MS, () => this.#wake?.())
      this.#wake = () => {
        this.#wake = null
        timer.cancel()
        resolve(this.#mayGoOn())
      }
    })
  }
}

function described(removal: Removal): Record<string, unknown> {
  const { op, from: conversation } = removal
  return op === 'truncate'
    ? { op, conversation, upTo: removal.upTo }
    : { op, conversation, events: removal.seqs.length }
}
