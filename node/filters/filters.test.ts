import { encodeBody } from '#protocol'
import { describe, expect, it } from 'vitest'
import { CommandKind, type Submission, SYSTEM_HEAD } from '../state-machine/commands.ts'
import { directConversationId } from '../state-machine/conversation-id.ts'
import { accepted, type Outcome } from '../gateway/testing/fake-backend.ts'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { FilterChain, type FilterBounds } from './filter-chain.ts'
import { Moderation, type ModerationOptions, type ModerationVerdict } from './moderation.ts'
import { RateLimiter, type RateLimits } from './rate-limiter.ts'

/** A hook whose answers the test gives, by msgId. */
class FakeHook {
  readonly asked: { write: Record<string, unknown>; msgId: string }[] = []
  readonly #answers = new Map<string, (verdict: ModerationVerdict | Error) => void>()

  judge(text: string): Promise<ModerationVerdict> {
    const write = JSON.parse(text) as { frame: { msgId: string } }
    const { msgId } = write.frame
    this.asked.push({ write, msgId })
    return new Promise((resolve, reject) => {
      this.#answers.set(msgId, (verdict) =>
        verdict instanceof Error ? reject(verdict) : resolve(verdict),
      )
    })
  }

  answer(msgId: string, verdict: ModerationVerdict | Error): void {
    this.#answers.get(msgId)!(verdict)
  }
}

function chain(
  options: ModerationOptions = {},
  more: { rates?: RateLimits; bounds?: Partial<FilterBounds>; hook?: null } = {},
) {
  const clock = new ManualClock()
  const logger = new RecordingLogger()
  const hook = new FakeHook()
  const moderation = more.hook === null ? null : new Moderation(hook, options, clock, logger)
  const forwarded: Submission[] = []
  const filters = new FilterChain({
    rate: more.rates === undefined ? null : new RateLimiter(more.rates, clock),
    moderation,
    ...(more.bounds === undefined ? {} : { bounds: more.bounds }),
    next: (submission, done) => {
      forwarded.push(submission)
      done(accepted(submission))
    },
  })
  const outcomes: Outcome[] = []
  const submit = (submission: Submission) =>
    filters.submit(submission, (outcome) => outcomes.push(outcome))
  const kinds = () => forwarded.map(({ kind, msgId }) => `${kind} ${msgId}`)
  return { clock, logger, hook, forwarded, filters, outcomes, submit, kinds }
}

const HEAD = { user: 'ann', device: 'phone', prev: null, since: null }

function message(msgId: string, more: Partial<Submission & { to: string }> = {}): Submission {
  const fields = { ...HEAD, kind: CommandKind.message, msgId, conv: 'c1', to: null, replyTo: null }
  return { ...fields, large: false, body: encodeBody({ text: msgId }), ...more } as Submission
}

function recall(msgId: string, conv = 'c1'): Submission {
  return { ...HEAD, kind: CommandKind.recall, msgId, conv, target: 1 }
}

describe('rates', () => {
  const rates = { user: { perSecond: 10, burst: 4 }, device: { perSecond: 5, burst: 2 } }

  it('[FI1] bound a device and a user, tell when there is room, and record nothing', async () => {
    const { clock, submit, outcomes, forwarded } = chain({}, { rates, hook: null })
    const by = (msgId: string, device: string) => submit(message(msgId, { device }))
    for (const msgId of ['a1', 'a2', 'a3']) by(msgId, 'phone')
    expect(outcomes[2]).toMatchObject({
      error: { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 200, outcome: 'notApplied' },
    })
    for (const msgId of ['b1', 'b2']) by(msgId, 'laptop')
    by('c1', 'tablet')
    expect(outcomes[5]).toMatchObject({ error: { code: 'RATE_LIMITED', retryAfterMs: 100 } })
    submit(message('d1', { user: 'bob' }))
    expect(outcomes[6]).toMatchObject({ ok: true })
    await clock.advance(200)
    by('a3', 'phone')
    expect(outcomes[7]).toMatchObject({ ok: true })
    expect(forwarded.map(({ msgId }) => msgId)).toEqual(['a1', 'a2', 'b1', 'b2', 'd1', 'a3'])
  })

  it('[FI1] hold for writes, not for what nodes and operators do', () => {
    const { submit, forwarded } = chain({}, { rates, hook: null })
    for (let i = 0; i < 20; i += 1) {
      submit({ kind: CommandKind.settings, ...SYSTEM_HEAD, changes: { groupMembers: 9 } })
    }
    expect(forwarded).toHaveLength(20)
  })
})

describe('moderation', () => {
  it('[FI2] shows the hook who writes what and where, as clients write it', () => {
    const { submit, hook } = chain()
    submit(message('m1'))
    submit(message('m2', { conv: null, to: 'bob' }))
    submit({
      ...HEAD,
      kind: CommandKind.edit,
      msgId: 'e1',
      conv: 'c1',
      target: 7,
      body: encodeBody(1),
    })
    const conversation = directConversationId('ann', 'bob')
    expect(hook.asked.map(({ write }) => write)).toMatchObject([
      {
        user: 'ann',
        device: 'phone',
        conversation: 'c1',
        frame: { t: 'msg:R', conv: 'c1', msgId: 'm1', body: { text: 'm1' } },
      },
      { conversation, frame: { t: 'msg:R', to: 'bob' } },
      { conversation: 'c1', frame: { t: 'edit:R', seq: 7, body: 1 } },
    ])
  })

  it('[FI2] puts a refusal into the log under the key of the write', async () => {
    const { submit, hook, clock, forwarded } = chain()
    submit(message('m1', { conv: null, to: 'bob', prev: 'm0', since: 5 }))
    hook.answer('m1', 'refuse')
    await clock.settle()
    expect(forwarded).toEqual([
      {
        kind: CommandKind.refuse,
        ...HEAD,
        msgId: 'm1',
        prev: 'm0',
        since: 5,
        conv: directConversationId('ann', 'bob'),
        code: 'REJECTED_SPAM',
      },
    ])
  })

  it('[FI2] asks a bounded number at once, and counts the time from when a write came', async () => {
    const { submit, hook, clock, outcomes } = chain({ maxConcurrent: 2, timeoutMs: 1_000 })
    for (const [at, msgId] of ['m1', 'm2', 'm3', 'm4'].entries()) {
      submit(message(msgId, { conv: `c${at}` }))
    }
    expect(hook.asked.map(({ msgId }) => msgId)).toEqual(['m1', 'm2'])
    hook.answer('m1', 'accept')
    await clock.settle()
    expect(hook.asked.map(({ msgId }) => msgId)).toEqual(['m1', 'm2', 'm3'])
    await clock.advance(1_000)
    expect(outcomes).toMatchObject([
      { ok: true },
      ...[2, 3, 4].map(() => ({ error: { code: 'OVERLOADED', retryable: true } })),
    ])
    // What comes too late changes nothing, and makes room.
    hook.answer('m2', 'refuse')
    await clock.settle()
    submit(message('m5'))
    expect(outcomes).toHaveLength(4)
    expect(hook.asked.at(-1)?.msgId).toBe('m5')
  })

  it.each([
    ['open', [{ ok: true }, { ok: true }], ['1 m1', '1 m2']],
    ['closed', [{ error: { code: 'OVERLOADED' } }, { error: { code: 'OVERLOADED' } }], []],
  ] as const)('[FI3] without a verdict is %s', async (onFailure, expected, through) => {
    const { submit, hook, clock, outcomes, kinds, logger, filters } = chain({ onFailure })
    submit(message('m1'))
    submit(message('m2', { conv: 'c2' }))
    hook.answer('m1', new Error('503'))
    await clock.advance(1_000)
    expect(outcomes).toMatchObject(expected)
    expect(kinds()).toEqual(through)
    expect(filters.verdicts).toEqual({ accept: 0, refuse: 0, fail: 2 })
    expect(logger.events).toEqual(['moderation.unavailable'])
  })

  it('[FI4] keeps the order when the hook is changed or taken away meanwhile', async () => {
    const { submit, hook, clock, kinds, filters, logger, outcomes } = chain()
    submit(message('m1'))
    const other = new FakeHook()
    filters.use({ rate: null, moderation: new Moderation(other, {}, clock, logger) })
    submit(message('m2'))
    filters.use({ rate: null, moderation: null })
    submit(message('m3'))
    submit(message('m4', { conv: 'c2' }))
    expect(kinds()).toEqual(['1 m4'])
    other.answer('m2', 'refuse')
    await clock.advance(0)
    expect(kinds()).toEqual(['1 m4'])
    // Whoever was asked before the change decides: without a verdict of it, `closed`.
    hook.answer('m1', new Error('503'))
    await clock.advance(0)
    expect(kinds()).toEqual(['1 m4', `${CommandKind.refuse} m2`, '1 m3'])
    expect(outcomes.filter((outcome) => 'error' in outcome)).toHaveLength(1)
    submit(message('m5'))
    expect(kinds().at(-1)).toBe('1 m5')
  })

  it('[FI1] another rate holds for what comes from then on', () => {
    const { clock, submit, outcomes, filters } = chain({}, { hook: null })
    for (const msgId of ['a', 'b', 'c']) submit(message(msgId))
    const one = { perSecond: 1, burst: 1 }
    filters.use({ rate: new RateLimiter({ user: one, device: one }, clock), moderation: null })
    for (const msgId of ['d', 'e']) submit(message(msgId))
    filters.use({ rate: null, moderation: null })
    submit(message('f'))
    expect(outcomes.map((outcome) => 'error' in outcome)).toEqual([
      ...[false, false, false, false],
      ...[true, false],
    ])
    expect(filters.limited).toBe(1)
  })

  it('[FI4] keeps the order of a device in a conversation, and of nothing else', async () => {
    const { submit, hook, clock, kinds, filters } = chain()
    submit(message('m1'))
    submit(recall('r1'))
    submit(message('m2'))
    submit(recall('r2', 'c2'))
    submit(recall('r3'))
    submit(message('x1', { user: 'bob' }))
    expect(kinds()).toEqual(['5 r2'])
    hook.answer('m2', 'accept')
    hook.answer('x1', 'accept')
    await clock.settle()
    expect(kinds()).toEqual(['5 r2', '1 x1'])
    hook.answer('m1', 'refuse')
    await clock.settle()
    expect(kinds()).toEqual(['5 r2', '1 x1', '3 m1', '5 r1', '1 m2', '5 r3'])
    expect(filters.waiting).toBe(0)
    submit(recall('r4'))
    expect(kinds().at(-1)).toBe('5 r4')
  })

  it.each([
    ['number', { maxWaiting: 2 }],
    ['bytes', { maxWaitingBytes: 2 * encodeBody({ text: 'm1' }).length }],
  ])('[FI5] bounds the %s of those that wait', async (_, bounds) => {
    const { submit, hook, clock, outcomes } = chain({}, { bounds })
    for (const msgId of ['m1', 'm2', 'm3']) submit(message(msgId))
    expect(outcomes).toMatchObject([{ error: { code: 'OVERLOADED', retryable: true } }])
    hook.answer('m1', 'accept')
    await clock.settle()
    submit(message('m4'))
    expect(outcomes).toHaveLength(2)
  })
})
