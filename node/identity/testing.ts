import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { ManualClock } from '../gateway/testing/manual-clock.ts'
import { RecordingLogger } from '../gateway/testing/recording-logger.ts'
import { DevAuthenticator } from '../gateway/auth.ts'
import type { KeyDocument } from './key-document.ts'
import { TokenAuthenticator, type TokenSettings } from './token-authenticator.ts'

export const SECRET = 'a secret of at least thirty-two bytes'

/** Wall time in seconds, as tokens have it. */
export const nowS = (clock: ManualClock): number => Math.floor(clock.wallMs() / 1000)

type Key = Parameters<SignJWT['sign']>[0]

/** A token of `claims`, made now and good for an hour unless they say otherwise. */
export function sign(
  clock: ManualClock,
  claims: JWTPayload,
  more: { readonly alg?: string; readonly kid?: string; readonly key?: Key } = {},
): Promise<string> {
  const { alg = 'HS256', kid, key = new TextEncoder().encode(SECRET) } = more
  const now = nowS(clock)
  return new SignJWT({ sub: 'alice', iat: now, exp: now + 3600, ...claims })
    .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) })
    .sign(key)
}

export async function keyPair(alg: string, kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } }
}

/** A document that holds what it is told, or fails. */
export class FakeDocument implements KeyDocument {
  readonly name = 'the provider'
  text: string | Error = '{"keys":[]}'
  reads = 0

  async read(): Promise<string> {
    this.reads += 1
    if (this.text instanceof Error) throw this.text
    return this.text
  }
}

export function authenticatorOf(settings: TokenSettings, dev = false) {
  const clock = new ManualClock()
  clock.nowMs = 1_700_000_000_000
  const logger = new RecordingLogger()
  const revoked = new Map<string, number>()
  const authenticator = new TokenAuthenticator(settings, {
    clock,
    logger,
    revokedBefore: async (user, device) =>
      Math.max(revoked.get(user) ?? 0, revoked.get(`${user} ${device}`) ?? 0),
    others: new DevAuthenticator({ dev }),
  })
  return { clock, logger, revoked, authenticator }
}
