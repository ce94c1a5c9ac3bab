import { describe, expect, it } from 'vitest'
import { CloseCode, type RequestFrame, wireError } from '#protocol'
import {
  type Authenticator,
  type Credentials,
  type Identity,
  type Role,
  unauthenticated,
} from './auth.ts'
import { fixture } from './testing/fixture.ts'
import { requestHead } from './testing/memory-connection.ts'
import { accepted } from './testing/fake-backend.ts'
import { BODY, errorOf, helloFrame, messageFrame } from './testing/samples.ts'

/** Believes tokens `user role issuedAt expiresAt`, when the test says so. */
class SlowAuthenticator implements Authenticator {
  readonly checksTokens = true
  readonly asked: Credentials[] = []
  before = 0
  /** Whose tokens wait for `release`. */
  held: string | null = null
  #waiting: (() => void)[] = []

  trusted: string | null = null

  trustsKeyOf({ subject }: Identity): boolean {
    return this.trusted === null || this.trusted === subject
  }

  async authenticate(credentials: Credentials) {
    this.asked.push(credentials)
    const { token = '', user } = credentials
    // What was revoked is read before the answer is given.
    const { before } = this
    if (this.held !== null && token.startsWith(this.held)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    if (token === 'bad') return unauthenticated('bad')
    if (token === 'later') return wireError('OVERLOADED', 'later', { retryAfterMs: 7 })
    if (token === 'broken') throw new Error('broken')
    const [subject = '', role = 'user', issuedAt = '500', expiresAt] = token.split(' ')
    const identity: Identity = {
      user: user ?? subject,
      subject,
      role: role as Role,
      device: null,
      issuedAt: Number(issuedAt),
      expiresAt: expiresAt === undefined ? null : Number(expiresAt),
    }
    return Number(issuedAt) >= before ? identity : unauthenticated('revoked')
  }

  release(): void {
    this.held = null
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function tokens(options: Parameters<typeof fixture>[0] = {}) {
  const authenticator = new SlowAuthenticator()
  const parts = fixture({ dev: false, ...options }, { authenticator })
  const greet = async (token: string, device = 'd1', hello: { user?: string } = {}) => {
    const client = parts.connect()
    client.write(helloFrame({ user: undefined, ...hello, token, device }))
    await parts.clock.settle()
    return client
  }
  return { ...parts, authenticator, greet }
}

describe('tokens', () => {
  it('[GW4] are checked while others are served, and what follows is held', async () => {
    const { authenticator, clock, greet, backend } = tokens()
    authenticator.held = 'alice'
    const slow = await greet('alice')
    slow.write(messageFrame(1))
    const quick = await greet('bob')
    quick.write(messageFrame(2))
    expect(quick.last('hello:A')).toMatchObject({ user: 'bob' })
    expect(slow.frames).toHaveLength(0)
    authenticator.release()
    await clock.settle()
    expect(slow.last('hello:A')).toMatchObject({ user: 'alice' })
    expect(backend.submissions.map(({ submission }) => submission.user)).toEqual(['bob', 'alice'])
  })

  it('[GW4] that are refused end the connection, for good or for now', async () => {
    const { greet, gateway } = tokens()
    const bad = await greet('bad')
    expect(errorOf(bad.last('hello:A'))).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      category: 'auth',
      retryable: false,
    })
    expect(bad.closed?.code).toBe(CloseCode.policy)
    const later = await greet('later')
    expect(errorOf(later.last('hello:A'))).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 7 })
    expect(later.closed?.code).toBe(CloseCode.overload)
    const broken = await greet('broken')
    expect(errorOf(broken.last('hello:A'))).toMatchObject({ code: 'INTERNAL', retryable: true })
    expect(gateway.sessionCount).toBe(0)
  })

  it('[GW10] an answer that cannot be written ends the session, not the node', async () => {
    const { authenticator, clock, connect, greet, backend, logger } = tokens()
    const fraction = wireError('OVERLOADED', 'later', { retryAfterMs: 0.5 })
    authenticator.authenticate = async () => fraction
    const client = connect()
    client.write(helloFrame({ token: 'x' }))
    await clock.settle()
    expect(client.closed?.code).toBe(CloseCode.overload)
    Reflect.deleteProperty(authenticator, 'authenticate')
    const other = await greet('bob')
    backend.answer = () => ({ error: fraction })
    other.write(messageFrame(1))
    expect(other.closed?.code).toBe(CloseCode.overload)
    expect(logger.events).toContain('hello.failed')
    expect(logger.events).toContain('request.failed')
  })

  it('[GW10] of a client that left meanwhile let nobody in', async () => {
    const { authenticator, clock, greet, gateway } = tokens()
    authenticator.held = 'alice'
    const client = await greet('alice')
    client.onClose(1006)
    authenticator.release()
    await clock.settle()
    expect(client.frames).toHaveLength(0)
    expect(gateway.sessionCount).toBe(0)
  })

  it('[NI10] end the sessions whose key is believed no more, when the keys change', async () => {
    const { gateway, greet, authenticator, clock } = tokens()
    const [bob, carol] = [await greet('bob'), await greet('carol')]
    authenticator.held = 'bob'
    const late = await greet('bob', 'd2')
    const next = new SlowAuthenticator()
    next.trusted = 'carol'
    next.authenticate = async () => unauthenticated('wrong')
    gateway.reconfigure({
      options: {},
      origins: {},
      authenticator: next,
      isTrustedProxy: () => false,
    })
    authenticator.release()
    await clock.settle()
    expect(errorOf(bob.last('error:N')).code).toBe('AUTHENTICATION_FAILED')
    expect(bob.closed?.code).toBe(CloseCode.authenticationExpired)
    expect(carol.closed).toBe(null)
    // Who was being let in by it is asked again.
    expect(errorOf(late.last('hello:A')).code).toBe('AUTHENTICATION_FAILED')
    expect(gateway.sessionCount).toBe(1)
  })

  it('[GW17] end a session within a second after they are out of date', async () => {
    const { clock, greet } = tokens()
    const brief = await greet('alice user 500 3500')
    const long = await greet('bob user 500 90000')
    const endless = await greet('carol')
    await clock.advance(2_400)
    expect(brief.closed).toBeNull()
    await clock.advance(1_600)
    expect(errorOf(brief.last('error:N')).code).toBe('AUTHENTICATION_FAILED')
    expect(brief.closed?.code).toBe(CloseCode.authenticationExpired)
    expect([long.closed, endless.closed]).toEqual([null, null])
  })

  it('[GW17] end as they are revoked: of the user, or of one device, and older ones only', async () => {
    const { gateway, greet } = tokens()
    const phone = await greet('alice user 500', 'phone')
    const laptop = await greet('alice user 500', 'laptop')
    const newer = await greet('alice user 900', 'tablet')
    const other = await greet('bob user 500')
    gateway.revoked({ user: 'alice', device: 'phone', before: 800 })
    expect(phone.closed?.code).toBe(CloseCode.authenticationExpired)
    expect(laptop.closed).toBeNull()
    gateway.revoked({ user: 'alice', device: null, before: 800 })
    expect(errorOf(laptop.last('error:N')).code).toBe('AUTHENTICATION_FAILED')
    expect(laptop.closed?.code).toBe(CloseCode.authenticationExpired)
    expect([newer.closed, other.closed]).toEqual([null, null])
  })

  it('[GW17] revoked while they are looked at are looked at again', async () => {
    const { authenticator, gateway, clock, greet } = tokens()
    authenticator.held = 'alice'
    const client = await greet('alice user 500')
    authenticator.before = 800
    gateway.revoked({ user: 'alice', device: null, before: 800 })
    authenticator.release()
    await clock.settle()
    expect(authenticator.asked).toHaveLength(2)
    expect(errorOf(client.last('hello:A')).code).toBe('AUTHENTICATION_FAILED')
    expect(gateway.sessionCount).toBe(0)
  })

  it('[GW17] of a service end its sessions, whomever it speaks as', async () => {
    const { gateway, greet } = tokens()
    const client = await greet('billing service', 'd1', { user: 'alice' })
    expect(client.last('hello:A')).toMatchObject({ user: 'alice' })
    gateway.revoked({ user: 'alice', device: null, before: 800 })
    expect(client.closed).toBeNull()
    gateway.revoked({ user: 'billing', device: null, before: 800 })
    expect(client.closed?.code).toBe(CloseCode.authenticationExpired)
  })
})

describe('roles', () => {
  const writes: RequestFrame[] = [
    { t: 'msg:R', id: 1, conv: 'c1', msgId: 'm1', body: BODY },
    { t: 'edit:R', id: 2, conv: 'c1', msgId: 'm2', seq: 1, body: BODY },
    { t: 'recall:R', id: 3, conv: 'c1', msgId: 'm3', seq: 1 },
    { t: 'react:R', id: 4, conv: 'c1', msgId: 'm4', seq: 1, reaction: 'x', on: true },
    { t: 'cancel:R', id: 5, conv: 'c1', msgId: 'm5' },
    { t: 'signal:R', id: 6, to: 'bob', name: 'typing', body: BODY, n: 1 },
    { t: 'conv:R', id: 7, op: 'leave', conv: 'c1', msgId: 'm7' },
    { t: 'conv:R', id: 8, op: 'create', msgId: 'm8', members: ['bob'] },
  ]

  it('[GW18] a viewer writes nothing, and reads', async () => {
    const { backend, clock, greet } = tokens()
    const client = await greet('alice viewer')
    for (const frame of writes) client.write(frame)
    client.write({ t: 'conv:R', id: 20, op: 'list' }, { t: 'ping:R', id: 21 })
    client.write({ t: 'pull:R', id: 22, conv: 'c1', after: 0, limit: 9 })
    await clock.settle()
    const codes = new Map(
      client.frames.map((frame) => [
        'id' in frame && frame.id,
        'error' in frame && frame.error.code,
      ]),
    )
    for (const { id } of writes) expect(codes.get(id), String(id)).toBe('FORBIDDEN')
    for (const id of [20, 21, 22]) expect(codes.get(id), String(id)).not.toBe('FORBIDDEN')
    expect(backend.submissions).toHaveLength(0)
  })

  it.each(['user', 'service', 'admin'])('[GW18] a %s writes', async (role) => {
    const { backend, greet } = tokens()
    backend.answer = accepted
    const client = await greet(`alice ${role}`)
    client.write(messageFrame(1))
    expect(backend.submissions).toHaveLength(1)
  })
})

describe('numbers of connections', () => {
  it('[GW19] a user has a bounded number of sessions, each device one', async () => {
    const { greet, gateway } = tokens({ maxSessionsPerUser: 2 })
    await greet('alice', 'd1')
    await greet('alice', 'd2')
    const third = await greet('alice', 'd3')
    expect(errorOf(third.last('hello:A'))).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
    expect(third.closed?.code).toBe(CloseCode.overload)
    expect((await greet('alice', 'd2')).last('hello:A')).toMatchObject({ device: 'd2' })
    expect((await greet('bob', 'd3')).last('hello:A')).toMatchObject({ user: 'bob' })
    expect(gateway.sessionCount).toBe(3)
  })

  it('[GW6] an address does not use up the hellos of the others', async () => {
    const { connect, clock } = tokens({ hellosPerSecondPerAddress: 2 })
    const greetFrom = async (remote: string) => {
      const client = connect(undefined, { remote })
      client.write(helloFrame({ user: undefined, token: `u${remote}`, device: 'd' }))
      await clock.settle()
      return client.closed?.code
    }
    const codes = []
    for (const port of [1, 2, 3]) codes.push(await greetFrom(`10.0.0.1:${port}`))
    expect(codes).toEqual([undefined, undefined, CloseCode.overload])
    expect(await greetFrom('10.0.0.2:1')).toBeUndefined()
    for (const port of [1, 2, 3]) expect(await greetFrom(`127.0.0.1:${port}`)).toBeUndefined()
    await clock.advance(500)
    expect(await greetFrom('10.0.0.1:4')).toBeUndefined()
  })

  it('[GW19] an address has a bounded number of connections, the loopback as many as there are', () => {
    const { gateway, connect } = tokens({ maxConnectionsPerAddress: 2 })
    const admit = (remote: string) => gateway.handlers.admit(requestHead({ remote }), true)?.status
    const [first] = [1, 2].map((port) => connect(undefined, { remote: `10.0.0.1:${port}` }))
    expect(admit('10.0.0.1:9')).toBe(429)
    expect(admit('10.0.0.2:9')).toBeUndefined()
    first!.onClose(1000)
    expect(admit('10.0.0.1:9')).toBeUndefined()
    for (const port of [1, 2, 3]) connect(undefined, { remote: `127.0.0.1:${port}` })
    expect(admit('127.0.0.1:9')).toBeUndefined()
  })
})
