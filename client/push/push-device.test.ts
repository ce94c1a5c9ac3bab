import { expect, test } from 'vitest'
import type { HttpCall } from '../host/call-http.ts'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { PushDevice, type PushOptions } from './push-device.ts'

type Answer = { status: number; said: object } | Error

const OK: Answer = { status: 200, said: { device: 'phone' } }
const refusal = (code: string, more: object = {}): Answer => ({
  status: 503,
  said: { code, detail: 'not now', retryable: true, outcome: 'notApplied', ...more },
})

/** A device of ben's and the calls that nodes got; they answer in order, then `OK`. */
function device(answers: Answer[], more: Partial<PushOptions> = {}) {
  const calls: HttpCall[] = []
  const clock = new VirtualClock()
  const push = new PushDevice({
    urls: ['http://a:1/', 'wss://b:2/v1/ws'],
    device: 'phone',
    user: 'ben',
    ports: {
      clock,
      callHttp: async (call) => {
        calls.push(call)
        const answer = answers.shift() ?? OK
        if (answer instanceof Error) throw answer
        return { status: answer.status, text: JSON.stringify(answer.said) }
      },
    },
    ...more,
  })
  return { push, calls, clock }
}

const SUBSCRIPTION = { endpoint: 'https://push.example.org/x', keys: { p256dh: 'k', auth: 'a' } }

test('[PS1] a browser’s subscription is told as it is, or as it says itself', async () => {
  for (const given of [SUBSCRIPTION, { toJSON: () => SUBSCRIPTION }]) {
    const { push, calls } = device([], { token: 'j.w.t', user: undefined })
    await push.subscribe(given)
    expect(calls).toMatchObject([
      {
        ...{ method: 'POST', url: 'http://a:1/v1/push/subscriptions?' },
        headers: { authorization: 'Bearer j.w.t', 'content-type': 'application/json' },
      },
    ])
    expect(JSON.parse(calls[0]!.body!)).toEqual({ device: 'phone', kind: 'web', ...SUBSCRIPTION })
  }
})

test('[PS1] webhook, end and what there is', async () => {
  const info = { kinds: ['web'], vapidPublicKey: 'BKey' }
  const { push, calls } = device([OK, OK, { status: 200, said: info }])
  await push.subscribeWebhook('token')
  await push.unsubscribe()
  expect(await push.info()).toEqual(info)
  const [hook, end] = calls
  expect(JSON.parse(hook!.body!)).toEqual({ device: 'phone', kind: 'webhook', endpoint: 'token' })
  expect([end!.method, end!.url, end!.body]).toEqual([
    ...['DELETE', 'http://a:1/v1/push/subscriptions?device=phone&user=ben', null],
  ])
})

test('[PS2] goes on to the next node, waits as it is told, and asks for a token each time', async () => {
  let tokens = 0
  const getToken = () => `token-${(tokens += 1)}`
  const { push, calls, clock } = device(
    [new Error('no route'), refusal('NO_LEADER', { retryAfterMs: 2_000 })],
    { getToken },
  )
  const startMs = clock.monotonicMs()
  const done = push.subscribe(SUBSCRIPTION)
  await clock.advance(10_000)
  await done
  expect(calls.map(({ url }) => new URL(url).origin)).toEqual([
    ...['http://a:1', 'https://b:2', 'http://a:1'],
  ])
  expect(calls.map(({ headers }) => headers['authorization'])).toEqual([
    ...['Bearer token-1', 'Bearer token-2', 'Bearer token-3'],
  ])
  expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(2_000)
})

test('[PS2] a verdict is final; silence is unknown, and ends', async () => {
  const verdict = refusal('UNSUPPORTED', { retryable: false })
  const { push, calls } = device([verdict])
  await expect(push.subscribe(SUBSCRIPTION)).rejects.toMatchObject({
    ...{ code: 'UNSUPPORTED', retryable: false, outcome: 'notApplied' },
  })
  expect(calls).toHaveLength(1)
  const silent = device(Array.from({ length: 1_000 }, () => new Error('silence')))
  const lost = silent.push.subscribe(SUBSCRIPTION).catch((error: unknown) => error)
  await silent.clock.advance(60_000)
  expect(await lost).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown', retryable: true })
  expect(silent.calls.length).toBeGreaterThan(10)
})

test('[PS2] a token that cannot be had now is asked for again', async () => {
  let tokens = 0
  const getToken = async () => {
    if ((tokens += 1) < 3) throw new Error('offline')
    return 'late'
  }
  const { push, calls, clock } = device([], { getToken })
  const done = push.unsubscribe()
  await clock.advance(10_000)
  await done
  expect(calls.map(({ headers }) => headers['authorization'])).toEqual(['Bearer late'])
})

test('[PS1] what cannot be a node is refused at once', () => {
  for (const urls of [[], ['ftp://a'], ['a:1']]) {
    expect(() => new PushDevice({ urls, device: 'phone' })).toThrow(/urls must|URL is/)
  }
})
