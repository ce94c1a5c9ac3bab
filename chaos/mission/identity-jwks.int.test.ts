// Keys that an identity provider publishes, changes, and fails to publish, against real nodes.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from '../processes/process-cluster.ts'
import { tokenOf } from '../processes/token-of.ts'
import { type Frame, WireClient } from '../workload/wire-client.ts'

let cluster: ProcessCluster
let server: Server
let reads = 0
let published: object | null = { keys: [] }

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A key of the provider, by Node's own cryptography. */
class ProviderKey {
  readonly jwk: object
  readonly #kid: string
  readonly #key: KeyObject

  constructor(kid: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }
    this.#kid = kid
    this.#key = privateKey
  }

  token(claims: object): string {
    const iat = Math.floor(Date.now() / 1000)
    const head = part({ alg: 'ES256', kid: this.#kid })
    const text = `${head}.${part({ iat, exp: iat + 600, ...claims })}`
    const key = { key: this.#key, dsaEncoding: 'ieee-p1363' as const }
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }
}

const [first, second] = [new ProviderKey('first'), new ProviderKey('second')]

beforeAll(async () => {
  server = createServer((_, response) => {
    reads += 1
    response.statusCode = published === null ? 503 : 200
    response.end(JSON.stringify(published))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  published = { keys: [first.jwk] }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  cluster = await ProcessCluster.create(1)
  cluster.headers = () => ({
    authorization: `Bearer ${first.token({ sub: 'op', role: 'admin' })}`,
  })
  await cluster.startAll({ dev: false, flags: ['--jwks-url', url] })
  await cluster.healthy()
})

afterAll(async () => {
  await cluster.close()
  server.closeAllConnections()
  server.close()
})

async function greet(token: string): Promise<Frame> {
  const client = await WireClient.open(cluster.nodes[0]!.url)
  const answer = await client.request({ t: 'hello:R', v: [1, 1], device: 'd', token })
  client.close()
  return answer!
}

test('[NI5] are fetched once for many tokens, and hold while the provider is away', async () => {
  for (let at = 0; at < 5; at += 1) {
    expect(await greet(first.token({ sub: 'ann' }))).toMatchObject({ user: 'ann' })
  }
  expect(reads).toBe(1)
  published = null
  expect(await greet(first.token({ sub: 'ann' }))).toMatchObject({ user: 'ann' })
})

test('[NI5] one that is not known yet is asked to come again, not refused for good', async () => {
  const { error } = await greet(second.token({ sub: 'ann' }))
  expect(error).toMatchObject({ code: 'OVERLOADED', retryable: true, outcome: 'notApplied' })
  expect((error as { retryAfterMs?: number }).retryAfterMs).toBeGreaterThan(0)
})

test('[NI1] no key of the provider is a secret, whatever a token says', async () => {
  for (const secret of [JSON.stringify(first.jwk), (first.jwk as { x: string }).x]) {
    const head = { alg: 'HS256', kid: 'first' }
    const { error } = await greet(tokenOf({ sub: 'ann' }, { secret, head }))
    expect(['AUTHENTICATION_FAILED', 'OVERLOADED']).toContain(error?.code)
  }
})
