import { createHash } from 'node:crypto'
import type { Clock, Logger, RaftId, Random, Timer } from '#cluster'
import { assert } from '#cluster'
import type { WireError } from '#protocol'
import {
  CommandKind,
  type PushOperation,
  type Submission,
  SYSTEM_HEAD,
} from '../state-machine/commands.ts'
import type { PushSubscription, StateReader, WriteResult } from '../state-machine/types.ts'
import { lackingMessage } from './absent-devices.ts'
import { CallQueue, MAX_CALLS } from './call-queue.ts'
import { PresentDevices } from './present-devices.ts'
import type { PushCall, PushOutcome, PushSettings } from './push-provider.ts'
import type { SessionReport } from './session-report.ts'

export interface PushHost {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly state: StateReader
  readonly settings: PushSettings
  self(): RaftId
  /** Of this node as the leader; `null` while it is none. */
  leadingTerm(): number | null
  /** Whether it knows everything that was committed before its term. */
  hasAuthority(): boolean
  /** The other members that can be reached. */
  gatewaysUp(): readonly RaftId[]
  epoch(): string
  submit(submission: Submission, done: (result: WriteResult | { error: WireError }) => void): void
}

/** How often a leader looks who is away by now. */
const LOOK_MS = 250
/** So long a new leader waits for the reports of gateways. */
const REPORTS_MS = 10_000
/** Users and conversations to be looked at; more, and everybody is. */
const MAX_TO_LOOK_AT = 50_000
/** After one walk over all who subscribed could not take all calls. */
const WALK_AGAIN_MS = 60_000
/** Before a command that failed is proposed again. */
const AGAIN_MS = 2_000
const LOOKS_PER_SLICE = 50
/** Commands of devices that wait for their result. */
const MAX_PENDING = 1_000

/**
 * The leader's part of push (rule B9): a device that is away and lacks a message is claimed in the
 * log, called, and noted as done. What a device was called for is decided by the log alone; whoever
 * leads next repeats the claims without an end, under their keys.
 */
export class PushToAbsent {
  readonly #host: PushHost
  readonly #present = new PresentDevices()
  readonly #queue: CallQueue
  readonly #users = new Set<string>()
  readonly #conversations = new Set<string>()
  /** Devices of which a command is on its way. */
  readonly #pending = new Set<string>()
  /** Keys of calls that ended, as long as the log does not say so. */
  readonly #over = new Set<string>()
  readonly #outcomes: Record<PushOutcome['is'], number> = {
    sent: 0,
    gone: 0,
    refused: 0,
    failed: 0,
  }
  #term: number | null = null
  #sinceMs = 0
  /** All gateways said who is there, or had their time. */
  #isReady = false
  /** Place of a walk over all who subscribed; `null`: none is under way. */
  #walk: number | null = null
  #walkAtMs = Number.POSITIVE_INFINITY
  /** Users of whom a command failed. */
  readonly #again = new Set<string>()
  #againAtMs = 0
  #working = false
  #closed = false
  #timer: Timer

  constructor(host: PushHost) {
    this.#host = host
    this.#queue = new CallQueue({
      clock: host.clock,
      random: host.random,
      mayCall: (call) => this.#mayCall(call),
      ended: (call, outcome) => this.#ended(call, outcome),
    })
    this.#timer = host.clock.after(LOOK_MS, this.#look)
  }

  /** Calls by how they ended. */
  get outcomes(): Readonly<Record<PushOutcome['is'], number>> {
    return this.#outcomes
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Called during apply: there is a new message in a conversation whose members have inboxes. */
  onMessage(conversation: string): void {
    if (this.#term === null || !this.#host.state.hasPushSubscriptions) return
    if (this.#conversations.size >= MAX_TO_LOOK_AT) this.#walkAgain(0)
    else this.#conversations.add(conversation)
    this.#work()
  }

  /** Called during apply: the device subscribed, or was seen. Its gateway is about to tell of it. */
  onPush(user: string, device: string): void {
    if (this.#term === null) return
    this.#present.mayBeThere({ user, device }, this.#host.clock.monotonicMs())
  }

  /** A gateway says who is there. */
  reported(from: RaftId, report: SessionReport): void {
    this.#follow()
    const users = this.#present.received(from, report, this.#host.clock.monotonicMs())
    for (const user of users) this.#lookAt(user)
  }

  close(): void {
    this.#closed = true
    this.#timer.cancel()
    this.#queue.clear()
  }

  readonly #look = (): void => {
    if (this.#closed) return
    this.#timer = this.#host.clock.after(LOOK_MS, this.#look)
    this.#follow()
    if (this.#term === null) return
    const now = this.#host.clock.monotonicMs()
    const up = new Set([this.#host.self(), ...this.#host.gatewaysUp()])
    for (const gateway of this.#present.gateways) {
      if (!up.has(gateway)) this.#present.lost(gateway, now)
    }
    if (!this.#isReady) {
      // Gateways have nothing to report before somebody subscribed.
      if (!this.#host.state.hasPushSubscriptions) this.#sinceMs = now
      if (!this.#host.hasAuthority()) return
      const all = [...up].every((gateway) => this.#present.hasReported(gateway))
      if (!all && now - this.#sinceMs < REPORTS_MS) return
      this.#isReady = true
      this.#walk = 0
    }
    for (const user of this.#present.away(now)) this.#lookAt(user)
    if (now >= this.#againAtMs) {
      for (const user of this.#again) this.#lookAt(user)
      this.#again.clear()
      this.#againAtMs = now + AGAIN_MS
    }
    if (now >= this.#walkAtMs) {
      this.#walkAtMs = Number.POSITIVE_INFINITY
      this.#walk = 0
    }
    this.#work()
  }

  /** Takes note of who leads. */
  #follow(): void {
    const term = this.#host.leadingTerm()
    if (term === this.#term) return
    this.#term = term
    this.#isReady = false
    this.#walk = null
    this.#walkAtMs = Number.POSITIVE_INFINITY
    this.#users.clear()
    this.#conversations.clear()
    this.#again.clear()
    this.#queue.clear()
    this.#sinceMs = this.#host.clock.monotonicMs()
    if (term !== null) this.#present.begin(term)
  }

  #lookAt(user: string): void {
    if (this.#users.size >= MAX_TO_LOOK_AT) this.#walkAgain(0)
    else this.#users.add(user)
    this.#work()
  }

  #walkAgain(afterMs: number): void {
    this.#walkAtMs = Math.min(this.#walkAtMs, this.#host.clock.monotonicMs() + afterMs)
  }

  #work(): void {
    if (this.#working || !this.#isReady || this.#closed) return
    this.#working = true
    this.#workOff().then(
      () => (this.#working = false),
      (error: unknown) => {
        this.#working = false
        // What was under way is looked at again with all the others.
        this.#walkAgain(WALK_AGAIN_MS)
        if (!this.#closed) this.#host.logger.warn('push.failed', { error })
      },
    )
  }

  async #workOff(): Promise<void> {
    for (let looks = 1; this.#mayGoOn; looks += 1) {
      if (looks % LOOKS_PER_SLICE === 0) await this.#pause()
      const user = first(this.#users)
      const conversation = user === null ? first(this.#conversations) : null
      if (user !== null) await this.#lookAtUser(user)
      else if (conversation !== null) await this.#lookAtMembers(conversation)
      else if (this.#walk !== null) await this.#goOnWalking(this.#walk)
      else return
    }
  }

  get #mayGoOn(): boolean {
    return !this.#closed && this.#isReady && this.#term !== null
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#host.clock.after(1, resolve))
  }

  async #lookAtMembers(id: string): Promise<void> {
    const conversation = await this.#host.state.conversation(id)
    if (conversation === null || conversation.large) return
    for (const { user } of conversation.members) this.#users.add(user)
  }

  async #goOnWalking(from: number): Promise<void> {
    const found = await this.#host.state.pushUsers(from)
    if (this.#walk !== from) return
    this.#walk = found?.next ?? null
    for (const user of found?.users ?? []) this.#users.add(user)
  }

  async #lookAtUser(user: string): Promise<void> {
    for (const subscription of await this.#host.state.pushSubscriptions(user)) {
      if (!this.#mayGoOn) return
      await this.#lookAtDevice(user, subscription)
    }
  }

  async #lookAtDevice(user: string, subscription: PushSubscription): Promise<void> {
    const { device, told, claim } = subscription
    if (this.#pending.has(`${user}\n${device}`)) return
    if (this.#isThere(user, device)) {
      if (claim === 'none') return
      this.#queue.drop(this.#keyOf(user, device, told))
      this.#submit({ op: 'seen', account: user, ofDevice: device })
      return
    }
    if (this.#providerOf(subscription) === undefined || claim === 'done') return
    if (claim === 'claimed') return this.#call(user, subscription)
    const lacking = await lackingMessage(this.#host.state, user, device, told)
    if (lacking === null || !this.#mayGoOn || this.#isThere(user, device)) return
    this.#submit({ op: 'claim', account: user, ofDevice: device, inbox: lacking.inbox })
  }

  async #call(user: string, subscription: PushSubscription): Promise<void> {
    const { device, target, told } = subscription
    const key = this.#keyOf(user, device, told)
    if (this.#queue.has(key)) return
    if (this.#over.has(key)) {
      this.#submit({ op: 'done', account: user, ofDevice: device, inbox: told })
      return
    }
    const position = this.#host.settings.withPosition === true ? await this.#at(user, told) : null
    if (!this.#mayGoOn) return
    const provider = this.#providerOf(subscription)
    assert(provider !== undefined, 'a device is called that nobody can call')
    const call = { user, device, target, key, position, inbox: told }
    if (!this.#queue.add(call, provider)) this.#walkAgain(WALK_AGAIN_MS)
  }

  async #at(user: string, inbox: number): Promise<PushCall['position']> {
    const { entries } = await this.#host.state.inboxAfter(user, inbox - 1, 1)
    const entry = entries[0]
    return entry?.inbox === inbox ? { conv: entry.conv, seq: entry.seq } : null
  }

  #mayCall({ user, device }: PushCall): boolean {
    return this.#mayGoOn && !this.#isThere(user, device)
  }

  /** Also told by a leader that was one: so the next one need not repeat the call. */
  #ended(call: PushCall, outcome: PushOutcome): void {
    const { user: account, device: ofDevice, target, inbox } = call
    this.#outcomes[outcome.is] += 1
    if ('why' in outcome) {
      const { why } = outcome
      this.#host.logger.warn('push.lost', { user: account, device: ofDevice, why })
    }
    if (outcome.is === 'gone') {
      this.#submit({ op: 'unsubscribe', account, ofDevice, endpoint: target.endpoint })
      return
    }
    if (this.#over.size < MAX_CALLS) this.#over.add(call.key)
    this.#submit({ op: 'done', account, ofDevice, inbox })
  }

  #isThere(user: string, device: string): boolean {
    return this.#present.isThere({ user, device }, this.#host.clock.monotonicMs())
  }

  #providerOf({ target }: PushSubscription) {
    return this.#host.settings.providers.find(({ kind }) => kind === target.kind)
  }

  /** One command of a device at a time; afterwards it is looked at again. */
  #submit(operation: PushOperation): void {
    const { account: user, ofDevice: device } = operation
    if (
      this.#pending.size >= MAX_PENDING &&
      (operation.op === 'claim' || operation.op === 'seen')
    ) {
      this.#walkAgain(WALK_AGAIN_MS)
      return
    }
    const key = `${user}\n${device}`
    this.#pending.add(key)
    this.#host.submit({ kind: CommandKind.push, ...SYSTEM_HEAD, operation }, (result) => {
      this.#pending.delete(key)
      if (this.#closed || this.#term === null) return
      if (!('error' in result)) {
        if (operation.op === 'done') this.#over.delete(this.#keyOf(user, device, operation.inbox))
        this.#lookAt(user)
      } else if (this.#again.size < MAX_TO_LOOK_AT) this.#again.add(user)
      else this.#walkAgain(WALK_AGAIN_MS)
    })
  }

  /** Tells nobody who it is for, and is the same on every node. */
  #keyOf(user: string, device: string, inbox: number): string {
    const text = `${this.#host.epoch()}\n${user}\n${device}\n${inbox}`
    return createHash('sha256').update(text).digest('base64url').slice(0, 32)
  }
}

/** Takes the oldest out; `null`: there is none. */
function first(set: Set<string>): string | null {
  for (const one of set) {
    set.delete(one)
    return one
  }
  return null
}
