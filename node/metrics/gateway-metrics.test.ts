import { expect, it } from 'vitest'
import { accepted } from '../gateway/testing/fake-backend.ts'
import { fixture } from '../gateway/testing/fixture.ts'
import { BODY, messageFrame } from '../gateway/testing/samples.ts'

it('[AD3] counts what the gateway does, from 0 on', async () => {
  const { clock, open, backend, metrics } = fixture()
  const lines = async () => (await metrics.text()).split('\n')
  expect(await lines()).toEqual(
    expect.arrayContaining([
      'parley_requests_total{op="msg",code="OK"} 0',
      'parley_requests_total{op="pull",code="BEHIND"} 0',
      'parley_sessions_closed_total{reason="slow_consumer"} 0',
      'parley_sessions 0',
      'parley_ready 1',
      'parley_draining 0',
    ]),
  )
  const client = await open('alice')
  backend.answer = (submission) =>
    submission.msgId === 'm2'
      ? { ok: false, msgId: 'm2', code: 'NOT_MEMBER', message: '', now: 1 }
      : { ...accepted(submission), duplicate: submission.msgId === 'm3' }
  client.write(messageFrame(1), messageFrame(2), messageFrame(3))
  client.write({ t: 'signal:R', id: 4, to: 'bob', name: 'x', body: BODY, n: 1 })
  client.onMessage(new Uint8Array([0xc1]))
  await clock.settle()
  client.onClose(1006)
  expect(await lines()).toEqual(
    expect.arrayContaining([
      'parley_requests_total{op="hello",code="OK"} 1',
      'parley_requests_total{op="msg",code="OK"} 2',
      'parley_requests_total{op="msg",code="NOT_MEMBER"} 1',
      'parley_requests_total{op="signal",code="OK"} 1',
      'parley_request_duration_seconds_count{op="msg"} 3',
      'parley_messages_accepted_total 1',
      'parley_messages_duplicate_total 1',
      'parley_messages_rejected_total 1',
      'parley_malformed_frames_total 1',
      'parley_sessions_opened_total 1',
      'parley_sessions_closed_total{reason="client"} 1',
      'parley_connections 0',
    ]),
  )
})
