// The SDK with tokens that run out, and with a hook that refuses, against real nodes.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatClient } from '#client'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { bearer, TOKEN_SECRET, tokenOf } from '../processes/token-of.ts'
import { ModerationServer } from './moderation-server.ts'

let cluster: ProcessCluster
let moderation: ModerationServer

beforeAll(async () => {
  moderation = await ModerationServer.start()
  cluster = await ProcessCluster.create(3)
  cluster.headers = () => bearer({ sub: 'op', role: 'admin' })
  const flags = ['--moderation-url', moderation.url, '--token-leeway', '1s']
  await cluster.startAll({ dev: false, flags, tokenSecret: TOKEN_SECRET })
  await cluster.healthy()
})

afterAll(async () => {
  await cluster.close()
  moderation.close()
})

const connect = (device: string, getToken: () => string) =>
  ChatClient.connect({ urls: cluster.nodes.map(({ url }) => url), device, getToken })

test('[CN3] goes on over tokens that run out', async () => {
  let tokens = 0
  const ann = await connect('phone', () => {
    tokens += 1
    const iat = Math.floor(Date.now() / 1000)
    return tokenOf({ sub: 'ann', iat, exp: iat + (tokens === 1 ? 1 : 600) })
  })
  const room = ann.direct('bob')
  expect((await room.send('one').sent).seq).toBe(1)
  await expect.poll(() => tokens).toBe(2)
  expect((await room.send('two').sent).seq).toBe(2)
  expect(ann.user).toBe('ann')
  ann.close()
})

test('[M-14] a refusal of the hook is final: it is told, and nothing is sent again', async () => {
  const eve = await connect('phone', () => tokenOf({ sub: 'eve' }))
  const room = eve.direct('bob')
  const spam = room.send('spam')
  const asked = () => moderation.asked.filter((msgId) => msgId === spam.msgId).length
  await expect(spam.sent).rejects.toMatchObject({
    code: 'REJECTED_SPAM',
    retryable: false,
    outcome: 'notApplied',
  })
  // Before it answered, a slow hook may have been asked again.
  const before = asked()
  expect((await room.send('fine').sent).seq).toBe(1)
  expect(before).toBeGreaterThan(0)
  expect(asked()).toBe(before)
  eve.close()
})
