import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { adminCall } from './admin-call.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A node that says that, and how often it was asked. */
async function node(status: number, said: () => object) {
  const seen = { count: 0, url: '' }
  const server = createServer((_, response) => {
    seen.count += 1
    response.writeHead(status, { connection: 'close' }).end(JSON.stringify(said()))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  seen.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return seen
}

const DEAD = 'http://127.0.0.1:9'
const call = (urls: string[], body?: object) =>
  adminCall('/v1/x', { urls, timeoutMs: 5_000, ...(body === undefined ? {} : { body }) })

test('the first node that can answers; who says that the leader knows sends there', async () => {
  const good = await node(200, () => ({ fine: true }))
  const behind = await node(503, () => ({ code: 'BEHIND', retryable: true, outcome: 'notApplied' }))
  expect(await call([DEAD, behind.url, good.url])).toEqual({ fine: true })
  const leader = { id: 'n1', url: good.url }
  const follower = await node(503, () => ({ code: 'NOT_LEADER', retryable: true, leader }))
  expect(await call([follower.url])).toEqual({ fine: true })
})

test('nobody is asked twice, and what a node said counts more than silence', async () => {
  const lost = await node(503, () => ({
    ...{ code: 'NOT_LEADER', detail: 'no', retryable: true },
    leader: { id: 'n1', url: lost.url },
  }))
  await expect(call([DEAD, lost.url, lost.url, DEAD])).rejects.toMatchObject({
    ...{ exitCode: 1, message: `${lost.url}: NOT_LEADER: no` },
  })
  expect(lost.count).toBe(1)
  await expect(call([DEAD])).rejects.toThrow('does not answer')
})

test('a verdict, and an outcome that nobody knows, end it at once', async () => {
  const good = await node(200, () => ({}))
  const refused = await node(403, () => ({ code: 'FORBIDDEN', retryable: false }))
  await expect(call([refused.url, good.url])).rejects.toMatchObject({ exitCode: 5 })
  const unknown = await node(503, () => ({ retryable: true, outcome: 'unknown' }))
  await expect(call([unknown.url, good.url], {})).rejects.toMatchObject({ exitCode: 4 })
  expect(good.count).toBe(0)
})
