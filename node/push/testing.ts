import { wireError } from '#protocol'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import type { Command, Submission } from '../state-machine/commands.ts'
import { fixedRandom, Machine, message, push } from '../state-machine/testing.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import type { PushCall, PushOutcome, PushProvider } from './push-provider.ts'
import { type PushHost, PushToAbsent } from './push-to-absent.ts'
import type { SessionReport } from './session-report.ts'

/** What the tests of this folder share: a leader over a real state, and a provider that obeys. */

export class FakeProvider implements PushProvider {
  readonly kind = 'webhook'
  readonly calls: PushCall[] = []
  /** Taken from the front; without one the call is sent. */
  outcomes: PushOutcome[] = []
  /** While set, calls wait for it. */
  slow: Promise<void> | null = null

  async call(call: PushCall): Promise<PushOutcome> {
    this.calls.push(call)
    await this.slow
    return this.outcomes.shift() ?? { is: 'sent' }
  }
}

/** A leader named `n1` whose log is applied as soon as it is proposed. */
export class Leader {
  readonly m: Machine
  readonly provider: FakeProvider
  readonly push: PushToAbsent
  readonly logger = new RecordingLogger()
  term: number | null = 1
  up: string[] = []
  /** While set, commands fail with it. */
  failing: 'NO_LEADER' | null = null
  constructor(m: Machine, provider = new FakeProvider()) {
    this.m = m
    this.provider = provider
    const { clock } = m
    const host: PushHost = {
      clock,
      random: fixedRandom,
      logger: this.logger,
      state: m.machine.reader,
      settings: {
        providers: [provider],
        vapidPublicKey: null,
        endpointFault: () => null,
        withPosition: true,
      },
      self: () => 'n1',
      leadingTerm: () => this.term,
      hasAuthority: () => true,
      gatewaysUp: () => this.up,
      epoch: () => 'e1',
      submit: (submission, done) => void this.#submit(submission, done),
    }
    this.push = new PushToAbsent(host)
    m.machine.listen({
      onResult: (_origin, _request, result) => m.results.push(result),
      onEvent: (conversation) => this.push.onMessage(conversation.id),
      onPush: ({ user, device }) => this.push.onPush(user, device),
      onApplied: () => {},
    })
  }

  /** Ben's phone subscribed, and nobody is there. */
  static async open(): Promise<Leader> {
    const m = await Machine.open({ directory: new MemoryStoreDirectory() })
    const leader = new Leader(m)
    await m.one(1, push('ben', 'phone', { op: 'subscribe', target: HOOK }))
    await leader.pass(250)
    leader.report('n1', { part: 'only' })
    await leader.pass(3_000)
    return leader
  }

  report(from: string, report: Partial<SessionReport>): void {
    this.push.reported(from, {
      term: this.term ?? 0,
      part: 'change',
      here: [],
      gone: [],
      ...report,
    })
  }

  here(user: string, device: string): void {
    this.report('n1', { here: [{ user, device }] })
  }

  gone(user: string, device: string): void {
    this.report('n1', { gone: [{ user, device }] })
  }

  async say(from: string, to: string): Promise<void> {
    const msgId = `m${this.m.machine.appliedIndex + 1}`
    await this.write(message({ user: from, msgId, to }))
    await this.pass(0)
  }

  async write(command: Command): Promise<void> {
    await this.m.one(this.m.machine.appliedIndex + 1, command)
  }

  /** Lets time pass in small steps, and all that comes of each. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left >= 0; left -= 250) {
      this.m.clock.advance(Math.min(250, Math.max(left, 0)))
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      if (left === 0) return
    }
  }

  async #submit(submission: Submission, done: Parameters<PushHost['submit']>[1]): Promise<void> {
    await Promise.resolve()
    if (this.failing !== null) {
      done({ error: wireError(this.failing, 'not now') })
      return
    }
    const command = { ...submission, origin: 1, request: 2 } as Command
    done(await this.m.one(this.m.machine.appliedIndex + 1, command))
  }
}

export const HOOK = { kind: 'webhook' as const, endpoint: 'token' }
