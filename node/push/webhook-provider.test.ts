import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { ManualClock } from '../state-machine/testing.ts'
import type { PushCall } from './push-provider.ts'
import { WebhookProvider } from './webhook-provider.ts'

const CALL: PushCall = {
  user: 'ben',
  device: 'phone',
  target: { kind: 'webhook', endpoint: 'token' },
  inbox: 7,
  key: 'k'.repeat(32),
  position: null,
}
const secret = Buffer.from('s'.repeat(32))

type Answer = Awaited<ReturnType<WebhookProvider['call']>>

async function outcome(status: number, call = CALL) {
  const clock = new ManualClock()
  clock.advance(12_345)
  let seen: { headers: Readonly<Record<string, string>>; body: string } | null = null
  const provider = new WebhookProvider({
    url: 'https://hook.example.org/',
    secret,
    clock,
    http: {
      post: async ({ headers, body }) => {
        seen = { headers, body: String(body) }
        return status === 0 ? { why: 'no route' } : { status, retryAfterMs: 9_000 }
      },
    },
  })
  const answer: Answer = await provider.call(CALL === call ? CALL : call, 1_000)
  return { answer, seen: seen! as { headers: Record<string, string>; body: string } }
}

test('[PU5] a call is signed over its time and body, bears its key, and says nothing of the message', async () => {
  const { answer, seen } = await outcome(204)
  expect(answer).toEqual({ is: 'sent' })
  expect(seen.headers).toMatchObject({ 'idempotency-key': CALL.key, 'parley-timestamp': '12' })
  const digest = createHmac('sha256', secret).update(`12.${seen.body}`).digest('hex')
  expect(seen.headers['parley-signature']).toBe(`v1=${digest}`)
  const said = { user: 'ben', device: 'phone', token: 'token', key: CALL.key }
  expect(JSON.parse(seen.body)).toEqual(said)
  const more = await outcome(200, { ...CALL, position: { conv: 'c1', seq: 3 } })
  expect(JSON.parse(more.seen.body)).toEqual({ ...said, conv: 'c1', seq: 3 })
})

test.each([
  [0, { is: 'failed', why: 'no route', retryAfterMs: 0 }],
  [302, { is: 'failed', retryAfterMs: 9_000 }],
  [400, { is: 'refused' }],
  [404, { is: 'failed' }],
  [410, { is: 'gone' }],
  [503, { is: 'failed', retryAfterMs: 9_000 }],
])('[PU4] of status %i the call is', async (status, expected) => {
  expect((await outcome(status)).answer).toMatchObject(expected)
})
