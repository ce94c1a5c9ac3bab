// Web push against a push service of this test's own, which decrypts what a browser would.
import {
  createDecipheriv,
  createECDH,
  createPublicKey,
  type ECDH,
  hkdfSync,
  randomBytes,
  verify,
} from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import webPush from 'web-push'
import type { PushCall } from '../push/push-provider.ts'
import { HTTP_POST } from './http-post.ts'
import { webPushProvider } from './web-push-provider.ts'

const keys = webPush.generateVAPIDKeys()
let server: Server
let url: string
let status = 201
const received: { headers: IncomingHttpHeaders; body: Buffer }[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks) })
      response.writeHead(status, { 'retry-after': '7' })
      response.end('thanks')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => server.close())

/** What a browser keeps of a subscription. */
function browser() {
  const ecdh = createECDH('prime256v1')
  ecdh.generateKeys()
  return { ecdh, auth: randomBytes(16) }
}

function callOf(
  { ecdh, auth }: ReturnType<typeof browser>,
  more: Partial<PushCall> = {},
): PushCall {
  const p256dh = ecdh.getPublicKey().toString('base64url')
  const target = {
    kind: 'web' as const,
    endpoint: `${url}/x`,
    p256dh,
    auth: auth.toString('base64url'),
  }
  return {
    user: 'ben',
    device: 'phone',
    target,
    inbox: 1,
    key: 'k'.repeat(32),
    position: null,
    ...more,
  }
}

/** RFC 8188 with the keys of RFC 8291. */
function decrypted(body: Buffer, ecdh: ECDH, auth: Buffer): string {
  const salt = body.subarray(0, 16)
  const keyLength = body[20]!
  const sender = body.subarray(21, 21 + keyLength)
  const secret = ecdh.computeSecret(sender)
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), ecdh.getPublicKey(), sender])
  const ikm = Buffer.from(hkdfSync('sha256', secret, auth, info, 32))
  const derive = (label: string, length: number) =>
    Buffer.from(hkdfSync('sha256', ikm, salt, Buffer.from(`Content-Encoding: ${label}\0`), length))
  const sealed = body.subarray(21 + keyLength)
  const open = createDecipheriv('aes-128-gcm', derive('aes128gcm', 16), derive('nonce', 12))
  open.setAuthTag(sealed.subarray(-16))
  const text = Buffer.concat([open.update(sealed.subarray(0, -16)), open.final()])
  // The last record ends with 2 and padding.
  return text.subarray(0, text.lastIndexOf(2)).toString()
}

const provider = () => webPushProvider({ keys, subject: 'mailto:ops@example.org', http: HTTP_POST })

test('[M-15] [PU6] a call is encrypted for the device, signed with VAPID, and has its key as topic', async () => {
  const device = browser()
  status = 201
  expect(await provider().call(callOf(device), 5_000)).toEqual({ is: 'sent' })
  const { headers, body } = received.at(-1)!
  expect(headers).toMatchObject({ 'content-encoding': 'aes128gcm', topic: 'k'.repeat(32) })
  expect(headers['content-length']).toBe(String(body.length))
  expect(decrypted(body, device.ecdh, device.auth)).toBe('{}')
  const position = { conv: 'c1', seq: 3 }
  await provider().call(callOf(device, { position }), 5_000)
  expect(JSON.parse(decrypted(received.at(-1)!.body, device.ecdh, device.auth))).toEqual(position)
  const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(headers.authorization!)!
  expect(key).toBe(keys.publicKey)
  const [head, claims, signature] = token!.split('.')
  const point = Buffer.from(keys.publicKey, 'base64url')
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) =>
    part.toString('base64url'),
  )
  const jwk = { kty: 'EC', crv: 'P-256', x: x!, y: y! }
  const signed = Buffer.from(`${head}.${claims}`)
  const verifier = {
    key: createPublicKey({ key: jwk, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363',
  } as const
  expect(verify('sha256', signed, verifier, Buffer.from(signature!, 'base64url'))).toBe(true)
  expect(JSON.parse(Buffer.from(claims!, 'base64url').toString())).toMatchObject({
    aud: url,
    sub: 'mailto:ops@example.org',
  })
})

test.each([
  [201, { is: 'sent' }],
  [404, { is: 'gone' }],
  [410, { is: 'gone' }],
  [403, { is: 'refused' }],
  [307, { is: 'refused' }],
  [429, { is: 'failed', retryAfterMs: 7_000 }],
  [503, { is: 'failed', retryAfterMs: 7_000 }],
])('[PU4] to status %i the outcome is', async (answer, expected) => {
  status = answer
  expect(await provider().call(callOf(browser()), 5_000)).toMatchObject(expected)
})

test('[PU4] a service that cannot be reached, and a key that is no point of the curve', async () => {
  const device = browser()
  const call = callOf(device)
  const target = { ...call.target, endpoint: 'http://127.0.0.1:1/x' }
  expect(await provider().call({ ...call, target }, 5_000)).toMatchObject({ is: 'failed' })
  const broken = {
    kind: 'web' as const,
    endpoint: url,
    p256dh: `B${'A'.repeat(86)}`,
    auth: 'A'.repeat(22),
  }
  expect(await provider().call({ ...call, target: broken }, 5_000)).toMatchObject({ is: 'refused' })
})
