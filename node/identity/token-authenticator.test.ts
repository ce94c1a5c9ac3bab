import fc from 'fast-check'
import { exportSPKI, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { Identity } from '../gateway/auth.ts'
import { authenticatorOf, keyPair, nowS, SECRET, sign } from './testing.ts'
import { publicKeys, secretKeys } from './verification-key.ts'

const REFUSED = { code: 'AUTHENTICATION_FAILED', category: 'auth', retryable: false }
const FROM = '10.1.2.3:9'

async function ofSecret(more: { issuer?: string; audience?: string; leewayMs?: number } = {}) {
  const keys = await secretKeys(SECRET)
  const parts = authenticatorOf({ keys, ...more })
  const authenticate = (token: string, hello: { user?: string; device?: string } = {}) =>
    parts.authenticator.authenticate({ token, ...hello }, FROM)
  return { ...parts, authenticate }
}

describe('signatures', () => {
  it('[NI1] believes a token signed with the secret', async () => {
    const { clock, authenticate } = await ofSecret()
    expect(await authenticate(await sign(clock, {}), { device: 'phone' })).toEqual({
      user: 'alice',
      subject: 'alice',
      keyFingerprint: expect.stringMatching(/^[\w-]{43}$/) as string,
      tokenId: expect.stringMatching(/^sha256:[0-9a-f]{16}$/) as string,
      role: 'user',
      device: null,
      issuedAt: clock.wallMs(),
      expiresAt: clock.wallMs() + 3_630_000,
    })
  })

  it('[NI10] tells by which key somebody was let in, and whether it is still one of its own', async () => {
    const { clock, authenticate, authenticator } = await ofSecret()
    const identity = (await authenticate(await sign(clock, { code: 'of a claim' }))) as Identity
    expect(identity.user).toBe('alice')
    expect(authenticator.trustsKeyOf(identity)).toBe(true)
    const others = authenticatorOf({ keys: await secretKeys('b'.repeat(32)) }).authenticator
    expect(others.trustsKeyOf(identity)).toBe(false)
    const { keyFingerprint: _, ...byPublishedKey } = identity
    expect(others.trustsKeyOf(byPublishedKey)).toBe(true)
  })

  it('[NI1] refuses what is not signed, or with another secret, or changed since', async () => {
    const { clock, authenticate } = await ofSecret()
    const good = await sign(clock, {})
    const [head, claims, signature] = good.split('.') as [string, string, string]
    const other = Buffer.from(JSON.stringify({ sub: 'bob', exp: nowS(clock) + 9 }))
    const forged = await sign(clock, {}, { key: new TextEncoder().encode(`${SECRET}!`) })
    const unsigned = new UnsecuredJWT({ sub: 'alice', exp: nowS(clock) + 9 }).encode()
    const bad = [
      forged,
      unsigned,
      `${head}.${claims}.`,
      `${head}.${other.toString('base64url')}.${signature}`,
      'nonsense',
      '',
      `${good}.x.y`,
      'x'.repeat(9_000),
    ]
    for (const token of bad) expect(await authenticate(token), token).toMatchObject(REFUSED)
  })

  it('[NI1] uses a key for its own algorithms only: no HMAC with a public key as the secret', async () => {
    const pair = await keyPair('EdDSA', 'k1')
    const pem = await exportSPKI(pair.publicKey)
    const { clock, authenticator } = authenticatorOf({ keys: await publicKeys(pem) })
    const ask = (token: string) => authenticator.authenticate({ token }, FROM)
    const good = await sign(clock, {}, { alg: 'EdDSA', key: pair.privateKey })
    expect(await ask(good)).toMatchObject({ user: 'alice' })
    for (const key of [pem, pem.trim(), pair.jwk.x!]) {
      const confused = await sign(clock, {}, { key: new TextEncoder().encode(key) })
      expect(await ask(confused)).toMatchObject(REFUSED)
    }
    const stranger = await keyPair('EdDSA', 'k1')
    const jwk = stranger.jwk as Record<string, unknown>
    const brought = await new SignJWT({ sub: 'alice', exp: nowS(clock) + 9 })
      .setProtectedHeader({ alg: 'EdDSA', jwk })
      .sign(stranger.privateKey)
    expect(await ask(brought)).toMatchObject(REFUSED)
  })

  it('[NI1] finds the key that a token names, and refuses a name that it does not know', async () => {
    const [one, two] = [await keyPair('EdDSA', 'one'), await keyPair('EdDSA', 'two')]
    const keys = await publicKeys(JSON.stringify({ keys: [one.jwk, two.jwk] }))
    const { clock, authenticator } = authenticatorOf({ keys })
    const ask = async (kid: string | undefined, key: typeof one) => {
      const named = kid === undefined ? {} : { kid }
      const token = await sign(clock, {}, { alg: 'EdDSA', key: key.privateKey, ...named })
      return authenticator.authenticate({ token }, FROM)
    }
    expect(await ask('two', two)).toMatchObject({ user: 'alice' })
    expect(await ask(undefined, two)).toMatchObject({ user: 'alice' })
    expect(await ask('one', two)).toMatchObject(REFUSED)
    expect(await ask('three', two)).toMatchObject(REFUSED)
  })
})

describe('any change of a token', () => {
  it('[NI1] leaves it refused, or saying the same', async () => {
    const { clock, authenticate } = await ofSecret()
    const token = await sign(clock, { role: 'viewer', device: 'phone' })
    const identity = await authenticate(token)
    const change = fc.record({
      at: fc.nat(token.length - 1),
      take: fc.nat(3),
      put: fc.string({ unit: fc.constantFrom(...'abXYZ019-_.='.split('')), maxLength: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        let changed = token
        for (const { at, take, put } of changes) {
          changed = changed.slice(0, at) + put + changed.slice(at + take)
        }
        const outcome = await authenticate(changed)
        if (!('code' in outcome)) expect(outcome).toEqual(identity)
        else expect(outcome).toMatchObject(REFUSED)
      }),
      { numRuns: 300 },
    )
  })
})

describe('claims', () => {
  it('[NI2] are compared with the clock within the leeway', async () => {
    const { clock, authenticate } = await ofSecret()
    const now = nowS(clock)
    const ask = async (claims: object) => authenticate(await sign(clock, { ...claims }))
    expect(await ask({ exp: now - 29 })).toMatchObject({ user: 'alice' })
    expect(await ask({ exp: now - 31 })).toMatchObject(REFUSED)
    expect(await ask({ nbf: now + 29 })).toMatchObject({ user: 'alice' })
    expect(await ask({ nbf: now + 31 })).toMatchObject(REFUSED)
    expect(await ask({ iat: now + 29 })).toMatchObject({ user: 'alice' })
    expect(await ask({ iat: now + 31 })).toMatchObject(REFUSED)
    const late = await ask({ exp: now - 31 })
    expect('message' in late && late.message).toMatch(/expired on 2023-/)
  })

  it.each([
    ['ahead', 3_600_000],
    ['behind', -3_600_000],
  ])('[NI2] of a token made by a clock an hour %s are refused or harmless', async (_, off) => {
    const { clock, authenticate } = await ofSecret()
    const trueMs = clock.nowMs
    clock.nowMs = trueMs + off
    // Good for half an hour, as the clock that made it has it.
    const now = nowS(clock)
    const token = await sign(clock, { iat: now, exp: now + 1800 })
    clock.nowMs = trueMs
    expect(await authenticate(token)).toMatchObject(REFUSED)
  })

  it('[NI2] that must be there and are not, or are of another kind, are named', async () => {
    const { clock, authenticate } = await ofSecret()
    const wrong: [object, RegExp][] = [
      [{ sub: undefined }, /sub is missing/],
      [{ exp: undefined }, /exp is missing/],
      [{ sub: 'a b' }, /sub .* no user/],
      [{ sub: 'x'.repeat(129) }, /sub .* no user/],
      [{ sub: 7 }, /./],
      [{ exp: 'tomorrow' }, /exp/],
      [{ role: 'root' }, /role .* none of user, viewer, service, admin/],
      [{ role: ['admin'] }, /role/],
      [{ device: 7 }, /device/],
      [{ device: 'not a device' }, /device/],
    ]
    for (const [claims, words] of wrong) {
      const outcome = await authenticate(await sign(clock, { ...claims }))
      expect(outcome, JSON.stringify(claims)).toMatchObject(REFUSED)
      expect('message' in outcome && outcome.message).toMatch(words)
    }
    expect(await authenticate(await sign(clock, { exp: 1e300 }))).toMatchObject({ user: 'alice' })
  })

  it('[NI2] issuer and audience must fit if they are set', async () => {
    const { clock, authenticate } = await ofSecret({ issuer: 'us', audience: 'chat' })
    const ask = async (claims: object) => authenticate(await sign(clock, { ...claims }))
    expect(await ask({ iss: 'us', aud: 'chat' })).toMatchObject({ user: 'alice' })
    expect(await ask({ iss: 'us', aud: ['mail', 'chat'] })).toMatchObject({ user: 'alice' })
    for (const claims of [
      {},
      { iss: 'us' },
      { iss: 'us', aud: 'mail' },
      { iss: 'x', aud: 'chat' },
    ]) {
      expect(await ask(claims), JSON.stringify(claims)).toMatchObject(REFUSED)
    }
  })
})

describe('who', () => {
  it('[NI3] a token of a device is good for that device only', async () => {
    const { clock, authenticate } = await ofSecret()
    const token = await sign(clock, { device: 'phone' })
    expect(await authenticate(token, { device: 'phone' })).toMatchObject({ device: 'phone' })
    expect(await authenticate(token, {})).toMatchObject({ device: 'phone' })
    expect(await authenticate(token, { device: 'laptop' })).toMatchObject(REFUSED)
  })

  it('[NI3] only a service speaks as somebody else', async () => {
    const { clock, authenticate } = await ofSecret()
    for (const role of ['user', 'viewer', 'admin']) {
      const token = await sign(clock, { role })
      expect(await authenticate(token, { user: 'alice' })).toMatchObject({ user: 'alice', role })
      expect(await authenticate(token, { user: 'bob' })).toMatchObject(REFUSED)
    }
    const service = await sign(clock, { sub: 'billing', role: 'service' })
    expect(await authenticate(service, { user: 'bob' })).toMatchObject({
      user: 'bob',
      subject: 'billing',
      role: 'service',
    })
    expect(await authenticate(service)).toMatchObject({ user: 'billing' })
  })

  it('[NI4] what was revoked is refused, and only that', async () => {
    const { clock, revoked, authenticate } = await ofSecret()
    const old = await sign(clock, {})
    const undated = await undatedToken(clock.wallMs())
    expect(await authenticate(undated)).toMatchObject({ issuedAt: 0 })
    revoked.set('alice phone', clock.wallMs() + 1)
    expect(await authenticate(old, { device: 'phone' })).toMatchObject(REFUSED)
    expect(await authenticate(old, { device: 'laptop' })).toMatchObject({ user: 'alice' })
    revoked.set('alice', clock.wallMs() + 1)
    clock.nowMs += 2_000
    expect(await authenticate(old, { device: 'laptop' })).toMatchObject(REFUSED)
    expect(await authenticate(undated, { device: 'laptop' })).toMatchObject(REFUSED)
    expect(await authenticate(await sign(clock, {}))).toMatchObject({ user: 'alice' })
    const service = await sign(clock, { sub: 'billing', role: 'service', iat: nowS(clock) - 60 })
    expect(await authenticate(service, { user: 'alice' })).toMatchObject({ user: 'alice' })
  })

  it('[NI7] without a token only dev mode over loopback lets anybody in', async () => {
    const keys = await secretKeys(SECRET)
    const ask = (dev: boolean, remote: string) =>
      authenticatorOf({ keys }, dev).authenticator.authenticate({ user: 'alice' }, remote)
    expect(ask(true, '127.0.0.1:9')).toMatchObject({ user: 'alice', issuedAt: null })
    expect(ask(true, FROM)).toMatchObject(REFUSED)
    expect(ask(false, '127.0.0.1:9')).toMatchObject(REFUSED)
  })
})

/** It does not say when it was made. */
function undatedToken(wallMs: number): Promise<string> {
  return new SignJWT({ sub: 'alice', exp: wallMs / 1000 + 3600 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(SECRET))
}
