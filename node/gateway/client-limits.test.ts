import { CloseCode } from '#protocol'
import { describe, expect, it, test } from 'vitest'
import { DevAuthenticator } from './auth.ts'
import { clientKey, clientRemote } from './client-address.ts'
import { KeyedBuckets } from './keyed-buckets.ts'
import { FlowLimit } from './flow-limit.ts'
import type { GatewayOptions } from './gateway-options.ts'
import { fixture } from './testing/fixture.ts'
import { requestHead } from './testing/memory-connection.ts'

const FAR = '203.0.113.7'

describe('who a client is', () => {
  const isTrusted = (address: string) => address.startsWith('10.') || address === '127.0.0.1'

  it.each([
    ['nobody is believed but a proxy', `${FAR}:5`, '198.51.100.1', `${FAR}:5`],
    ['a proxy speaks for a client', '10.0.0.1:5', FAR, `${FAR}:0`],
    ['what the client wrote itself is not looked at', '10.0.0.1:5', `1.2.3.4, ${FAR}`, `${FAR}:0`],
    ['proxies behind each other', '10.0.0.1:5', `1.2.3.4, ${FAR}, 10.0.0.9`, `${FAR}:0`],
    ['with a port', '10.0.0.1:5', `${FAR}:8080`, `${FAR}:0`],
    ['over IPv6', '10.0.0.1:5', '[2001:DB8::1]:443', '[2001:db8::1]:0'],
    ['what is no address', '10.0.0.1:5', `${FAR}, "unknown"`, '10.0.0.1:5'],
    ['nothing', '10.0.0.1:5', '', '10.0.0.1:5'],
    ['the loopback of another machine', '10.0.0.1:5', '127.0.0.1', '10.0.0.1:5'],
    ['the same in other words', '10.0.0.1:5', '::ffff:127.0.0.1', '10.0.0.1:5'],
    ['a proxy on this machine', '[::ffff:127.0.0.1]:5', FAR, `${FAR}:0`],
    ['proxies alone', '10.0.0.1:5', '10.0.0.3, 10.0.0.2', '10.0.0.3:0'],
  ])('[GW29] %s', (_, socket, forwarded, remote) => {
    expect(clientRemote(socket, forwarded, isTrusted)).toBe(remote)
  })

  it.each([
    [`${FAR}:5`, FAR],
    [`[::ffff:${FAR}]:5`, FAR],
    ['[2001:db8:1:2:3:4:5:6]:5', '2001:db8:1:2'],
    ['[2001:db8:1:2::9]:5', '2001:db8:1:2'],
    ['[2001:db8::1]:5', '2001:db8:0:0'],
    ['[fe80::1]:5', 'fe80:0:0:0'],
    ['127.0.0.1:5', null],
    ['[::1]:5', null],
  ])('[GW19] %s is counted as %s', (remote, key) => {
    expect(clientKey(remote)).toBe(key)
  })
})

describe('sockets, connections and calls', () => {
  const limited = (options: Partial<GatewayOptions>) => {
    const { gateway, clock } = fixture({ dev: false, ...options })
    const { handlers } = gateway
    const remote = (address: string) => ({ remote: `${address}:1`, host: '127.0.0.1' })
    return {
      clock,
      gateway,
      socket: (address: string) => handlers.onSocket!(`${address}:1`),
      upgrade: (address: string) => handlers.admit(requestHead(remote(address)), true),
      call: (address: string) => handlers.admit(requestHead(remote(address)), false),
    }
  }

  it('[GW19] begin at a bounded rate from one address', async () => {
    const { clock, upgrade } = limited({ hellosPerSecondPerAddress: 2 })
    expect([1, 2, 3].map(() => upgrade(FAR)?.status)).toEqual([undefined, undefined, 429])
    expect(upgrade(FAR)?.headers).toMatchObject({ 'retry-after': '1' })
    expect(upgrade('203.0.113.8')).toBeNull()
    for (let at = 0; at < 9; at += 1) expect(upgrade('127.0.0.1')).toBeNull()
    await clock.advance(500)
    expect(upgrade(FAR)).toBeNull()
  })

  it('[GW19] calls over HTTP come at a bounded rate from one address', async () => {
    const { clock, call } = limited({ requestsPerSecondPerAddress: 0.5 })
    expect([1, 2].map(() => call(FAR)?.status)).toEqual([undefined, 429])
    expect(JSON.parse(call(FAR)!.body)).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
    expect(call(FAR)?.headers).toMatchObject({ 'retry-after': '2' })
    await clock.advance(2_000)
    expect(call(FAR)).toBeNull()
  })

  it('[GW19] sockets without a word are bounded too, of one address and of all', () => {
    const { socket } = limited({ maxConnections: 1_000, maxConnectionsPerAddress: 900 })
    const open = Array.from({ length: 1_000 }, () => socket(FAR))
    expect(open.every((closed) => closed !== null)).toBe(true)
    expect(socket(FAR)).toBeNull()
    for (let at = 0; at < 1_000; at += 1)
      expect(socket(`198.51.${at >> 8}.${at & 255}`)).not.toBeNull()
    expect(socket('192.0.2.1')).toBeNull()
    // Whoever operates the node still gets in.
    expect(socket('127.0.0.1')).not.toBeNull()
    open[0]!()
    open[1]!()
    expect(socket(FAR)).not.toBeNull()
  })

  it('[GW19] other limits hold from the moment they are changed', () => {
    const { gateway, upgrade } = limited({ hellosPerSecondPerAddress: 1 })
    const authenticator = new DevAuthenticator({ dev: false })
    expect([1, 2].map(() => upgrade(FAR)?.status)).toEqual([undefined, 429])
    const options = { hellosPerSecondPerAddress: 3 }
    gateway.reconfigure({ options, origins: {}, authenticator, isTrustedProxy: () => false })
    expect([1, 2, 3, 4].map(() => upgrade(FAR)?.status)).toEqual([
      ...[undefined, undefined, undefined, 429],
    ])
  })
})

describe('what one connection sends', () => {
  const ping = (id: number) => ({ t: 'ping:R', id }) as const

  it('[GW28] above its rate frames are refused, with when to come again; in time it goes on', async () => {
    const { open, clock } = fixture({ framesPerSecond: 10 })
    const client = await open()
    for (let id = 0; id < 53; id += 1) client.write(ping(id))
    await clock.settle()
    const answers = client.frames.filter(({ t }) => t === 'ping:A')
    // The hello was one of the fifty.
    expect(answers.filter((frame) => !('error' in frame))).toHaveLength(49)
    expect(answers.find((frame) => 'id' in frame && frame.id === 52)).toMatchObject({
      error: { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 400 },
    })
    await clock.advance(600)
    client.write(ping(99))
    await clock.settle()
    expect(client.last('ping:A')).not.toHaveProperty('error')
    expect(client.closed).toBeNull()
  })

  it('[GW28] who goes on in spite of that is sent away', async () => {
    const { open, clock, gateway } = fixture({ framesPerSecond: 10 })
    const client = await open()
    for (let id = 0; id < 100; id += 1) client.write(ping(id))
    await clock.settle()
    expect(client.last('error:N').error).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: expect.any(Number),
    })
    expect(client.closed?.code).toBe(CloseCode.overload)
    expect(gateway.sessionCount).toBe(0)
  })

  it('[GW28] bytes count, of frames that do not keep the protocol too', async () => {
    const { open, clock } = fixture({ bytesPerSecond: 1_000, maxMessageBytes: 2_000 })
    const client = await open('alice', 'd1', {}, 'parley.v1.json')
    for (let at = 0; at < 11 && client.closed === null; at += 1) client.onMessage('x'.repeat(1_000))
    await clock.settle()
    expect(client.closed?.code).toBe(CloseCode.overload)
  })

  test.each([
    ['frames', { framesPerSecond: 5, bytesPerSecond: null }, 'frame_rate', 200],
    ['bytes', { framesPerSecond: null, bytesPerSecond: 10 }, 'byte_rate', 5_100],
  ] as const)('[GW28] %s: a burst, then a debt that time pays', (_, rates, why, retryAfterMs) => {
    const limit = new FlowLimit({ ...rates, maxMessageBytes: 51 }, 0)
    for (let at = 0; at < 2; at += 1) expect(limit.message(51, 0)).toBe(true)
    for (let at = 0; at < 26; at += 1) expect(limit.frame(0)).toBe(true)
    expect(limit.refusal()).toEqual({ why, retryAfterMs })
    limit.message(0, retryAfterMs)
    limit.frame(retryAfterMs + 200)
    expect(limit.refusal()).toBeNull()
  })
})

test('[GW6] buckets are made anew when their rate changes', () => {
  const buckets = new KeyedBuckets(10)
  const one = { perSecond: 1, burst: 1 }
  expect(buckets.of('a', one, 0).take(0)).toBe(true)
  expect(buckets.of('a', one, 0).take(0)).toBe(false)
  expect(buckets.of('a', { perSecond: 1, burst: 2 }, 0).take(0)).toBe(true)
})
