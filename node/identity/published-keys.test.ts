import { describe, expect, it } from 'vitest'
import { authenticatorOf, FakeDocument, keyPair, SECRET, sign } from './testing.ts'
import { secretKeys } from './verification-key.ts'

const FROM = '10.1.2.3:9'
const KNOWN = { user: 'alice' }
const REFUSED = { code: 'AUTHENTICATION_FAILED', retryable: false }
const LATER = { code: 'OVERLOADED', retryable: true, outcome: 'notApplied' }

async function published(...algorithms: [string, string][]) {
  const pairs = await Promise.all(algorithms.map(([alg, kid]) => keyPair(alg, kid)))
  const document = new FakeDocument()
  const publish = (...jwks: object[]) => (document.text = JSON.stringify({ keys: jwks }))
  publish(...pairs.map(({ jwk }) => jwk))
  const parts = authenticatorOf({ keys: [], document })
  const ask = async (alg: string, pair: (typeof pairs)[number], kid: string) => {
    const token = await sign(parts.clock, {}, { alg, kid, key: pair.privateKey })
    return parts.authenticator.authenticate({ token }, FROM)
  }
  return { ...parts, pairs, document, publish, ask }
}

describe('published keys', () => {
  it.each(['ES256', 'ES384', 'RS256', 'RS512', 'PS256', 'EdDSA', 'Ed25519'])(
    '[NI5] check %s',
    async (alg) => {
      const { ask, pairs } = await published([alg, 'k'])
      expect(await ask(alg, pairs[0]!, 'k')).toMatchObject(KNOWN)
    },
  )

  it('[NI5] are fetched once for many, and again for a key that is new, not for each made-up one', async () => {
    const { ask, pairs, document, publish, clock } = await published(['EdDSA', 'one'])
    const [one] = pairs
    const first = await Promise.all([1, 2, 3].map(() => ask('EdDSA', one!, 'one')))
    expect(first).toMatchObject([KNOWN, KNOWN, KNOWN])
    expect(document.reads).toBe(1)
    const two = await keyPair('EdDSA', 'two')
    publish(one!.jwk, two.jwk)
    expect(await ask('EdDSA', two, 'two')).toMatchObject({ ...LATER, retryAfterMs: 30_000 })
    expect(document.reads).toBe(1)
    clock.nowMs += 30_000
    expect(await ask('EdDSA', two, 'two')).toMatchObject(KNOWN)
    clock.nowMs += 30_000
    expect(await ask('EdDSA', two, 'three')).toMatchObject(REFUSED)
    expect(document.reads).toBe(3)
    expect(await ask('EdDSA', two, 'three')).toMatchObject(LATER)
    expect(document.reads).toBe(3)
  })

  it('[NI5] are fetched again when they are old, and one that was withdrawn ends', async () => {
    const { ask, pairs, publish, clock } = await published(['EdDSA', 'one'])
    const [one] = pairs
    expect(await ask('EdDSA', one!, 'one')).toMatchObject(KNOWN)
    publish((await keyPair('EdDSA', 'two')).jwk)
    clock.nowMs += 601_000
    expect(await ask('EdDSA', one!, 'one')).toMatchObject(KNOWN)
    await clock.settle()
    await expect.poll(async () => ask('EdDSA', one!, 'one')).toMatchObject(LATER)
  })

  it('[NI5] of a provider that is away still hold for a day; unknown ones are to be tried later', async () => {
    const { ask, pairs, document, clock, logger } = await published(['EdDSA', 'one'])
    const [one] = pairs
    document.text = new Error('no answer')
    clock.nowMs += 0.25
    expect(await ask('EdDSA', one!, 'one')).toMatchObject({ ...LATER, retryAfterMs: 2_000 })
    clock.nowMs += 0.5
    expect(await ask('EdDSA', one!, 'one')).toMatchObject({ ...LATER, retryAfterMs: 2_000 })
    expect(logger.events).toEqual(['keys.unavailable'])
    clock.nowMs += 2_000
    document.text = JSON.stringify({ keys: [one!.jwk] })
    expect(await ask('EdDSA', one!, 'one')).toMatchObject(KNOWN)
    document.text = new Error('no answer')
    clock.nowMs += 23 * 3_600_000
    expect(await ask('EdDSA', one!, 'one')).toMatchObject(KNOWN)
    clock.nowMs += 2 * 3_600_000
    expect(await ask('EdDSA', one!, 'one')).toMatchObject(LATER)
  })

  it.each([
    ['no JSON', '<html>'],
    ['a list of nothing', '{"keys":[]}'],
    ['a secret', JSON.stringify({ keys: [{ kty: 'oct', k: 'x'.repeat(60), kid: 'one' }] })],
    ['too many', JSON.stringify({ keys: Array.from({ length: 101 }, () => ({ kty: 'OKP' })) })],
    ['a private key', 'private'],
  ])('[NI5] that are %s are not used', async (_, text) => {
    const { ask, pairs, document, clock, authenticator } = await published(['EdDSA', 'one'])
    document.text =
      text === 'private' ? JSON.stringify({ ...pairs[0]!.jwk, d: pairs[0]!.jwk.x }) : text
    expect(await ask('EdDSA', pairs[0]!, 'one')).toMatchObject(LATER)
    const key = Buffer.from('x'.repeat(60), 'base64url')
    const token = await sign(clock, {}, { kid: 'one', key })
    clock.nowMs += 60_000
    expect(await authenticator.authenticate({ token }, FROM)).toMatchObject(LATER)
  })

  it('[NI5] stand beside those of files', async () => {
    const document = new FakeDocument()
    const keys = await secretKeys(SECRET)
    const { clock, authenticator } = authenticatorOf({ keys, document })
    const token = await sign(clock, {})
    expect(await authenticator.authenticate({ token }, FROM)).toMatchObject(KNOWN)
    expect(document.reads).toBe(0)
  })
})
