import { createHash } from 'node:crypto'
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import type { Clock, Logger } from '#cluster'
import { isOfAlphabet, LIMITS, type WireError, wireError } from '#protocol'
import {
  type Authenticator,
  type Credentials,
  type Identity,
  isRefusal,
  type Role,
  ROLES,
  unauthenticated,
} from '../gateway/auth.ts'
import type { KeyDocument } from './key-document.ts'
import { PublishedKeys } from './published-keys.ts'
import { ALGORITHMS, type VerificationKey } from './verification-key.ts'

/** How far clocks may differ unless an operator says otherwise, in ms. */
const DEFAULT_LEEWAY_MS = 30_000

/** Which tokens a node believes. */
export interface TokenSettings {
  /** From files of the operator. */
  readonly keys: readonly VerificationKey[]
  /** Keys published by an identity provider. */
  readonly document?: KeyDocument
  /** Every token must name it as `iss`. @default not looked at */
  readonly issuer?: string
  /** Every token must have it in `aud`. @default not looked at */
  readonly audience?: string
  /** How far the clocks of this node and of who makes tokens may differ. @default 30 s */
  readonly leewayMs?: number
}

export interface TokenAuthenticatorHost {
  readonly clock: Clock
  readonly logger: Logger
  /** Of the replicated state; see `StateReader.revokedBefore`. */
  revokedBefore(user: string, device: string | null): Promise<number>
  /** Whom to ask about a caller without a token. */
  readonly others: Authenticator
}

/** What a token says, and the key that vouches for it. */
interface Verified {
  readonly claims: JWTPayload
  readonly key: VerificationKey
}

/** Believes signed tokens (RFC 7519): who is named, in which role, until when, unless revoked. */
export class TokenAuthenticator implements Authenticator {
  readonly checksTokens = true
  readonly #settings: TokenSettings
  readonly #leewayMs: number
  readonly #host: TokenAuthenticatorHost
  readonly #published: PublishedKeys | null

  constructor(settings: TokenSettings, host: TokenAuthenticatorHost) {
    this.#settings = settings
    this.#leewayMs = settings.leewayMs ?? DEFAULT_LEEWAY_MS
    this.#host = host
    this.#published =
      settings.document === undefined
        ? null
        : new PublishedKeys(settings.document, host.clock, host.logger)
  }

  authenticate(
    credentials: Credentials,
    remote: string,
  ): Identity | WireError | Promise<Identity | WireError> {
    const { token } = credentials
    if (token === undefined) return this.#host.others.authenticate(credentials, remote)
    return this.#believe(token, credentials)
  }

  async #believe(token: string, credentials: Credentials): Promise<Identity | WireError> {
    const verified = await this.#verify(token)
    // A token may have a claim of any name, `code` too.
    if (!('claims' in verified)) return verified
    const known = this.#identify(verified.claims, credentials, token)
    if (isRefusal(known)) return known
    const { fingerprint } = verified.key
    const isOwn = this.#settings.keys.some((key) => key.fingerprint === fingerprint)
    const identity = isOwn ? { ...known, keyFingerprint: fingerprint } : known
    const device = identity.device ?? credentials.device ?? null
    const before = await this.#host.revokedBefore(identity.subject, device)
    if (identity.issuedAt! >= before) return identity
    return unauthenticated(`This token was revoked on ${dateOf(before)}; sign in again.`)
  }

  /** The claims of a token that is signed with a known key and in date. */
  trustsKeyOf({ keyFingerprint }: Identity): boolean {
    if (keyFingerprint === undefined) return true
    return this.#settings.keys.some(({ fingerprint }) => fingerprint === keyFingerprint)
  }

  async #verify(token: string): Promise<Verified | WireError> {
    if (token.length > LIMITS.tokenBytes) {
      return unauthenticated(`A token has at most ${LIMITS.tokenBytes} bytes.`)
    }
    let alg: unknown
    let kid: unknown
    try {
      ;({ alg, kid } = decodeProtectedHeader(token))
    } catch {
      return unauthenticated('This is no signed token.')
    }
    if (typeof alg !== 'string' || !(ALGORITHMS as readonly string[]).includes(alg)) {
      return unauthenticated(`Tokens are signed with one of ${ALGORITHMS.join(', ')}.`)
    }
    const keys = await this.#keys(alg, typeof kid === 'string' ? kid : null)
    if ('code' in keys) return keys
    for (const key of keys) {
      const outcome = await this.#check(token, alg, key)
      if (outcome !== null) return outcome
    }
    return unauthenticated(
      keys.length === 0
        ? `No key of this node fits the algorithm and the key id of this token.`
        : 'The signature of this token is wrong.',
    )
  }

  /** A key is used for its own algorithms only, whatever a token says of itself. */
  async #keys(alg: string, kid: string | null): Promise<readonly VerificationKey[] | WireError> {
    const fits = (key: VerificationKey): boolean =>
      key.algorithms.includes(alg) && (key.kid === null || kid === null || key.kid === kid)
    const own = this.#settings.keys.filter(fits)
    if (own.length > 0 || this.#published === null) return own
    const found = await this.#published.find(fits)
    if ('keys' in found) return found.keys
    const message = 'The key of this token is not known here yet; try again.'
    return wireError('OVERLOADED', message, { retryAfterMs: found.retryAfterMs })
  }

  /** `null`: signed with another key. */
  async #check(
    token: string,
    alg: string,
    from: VerificationKey,
  ): Promise<Verified | WireError | null> {
    const { issuer, audience } = this.#settings
    try {
      const { payload } = await jwtVerify(token, from.key, {
        algorithms: [alg],
        currentDate: new Date(this.#host.clock.wallMs()),
        clockTolerance: this.#leewayMs / 1000,
        requiredClaims: ['sub', 'exp'],
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      })
      return { claims: payload, key: from }
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) return null
      if (!(error instanceof errors.JOSEError)) throw error
      return unauthenticated(reasonOf(error))
    }
  }

  #identify(claims: JWTPayload, credentials: Credentials, token: string): Identity | WireError {
    const { sub = '', exp = 0, iat } = claims
    const { device = null, role = 'user' } = claims as { device?: unknown; role?: unknown }
    if (!isUser(sub)) {
      return unauthenticated('sub of this token is no user: 1 to 128 printable characters.')
    }
    if (!isRole(role)) return unauthenticated(`role of this token is none of ${ROLES.join(', ')}.`)
    const nowMs = this.#host.clock.wallMs()
    if (iat !== undefined && iat * 1000 > nowMs + this.#leewayMs) {
      return unauthenticated('This token was made later than now: one of the clocks is wrong.')
    }
    if (device !== null && (typeof device !== 'string' || !isDevice(device))) {
      return unauthenticated('device of this token is no device.')
    }
    if (device !== null && credentials.device !== undefined && credentials.device !== device) {
      return unauthenticated('This token is of another device.')
    }
    const { user = sub } = credentials
    if (user !== sub && role !== 'service') {
      return unauthenticated('This token is of another user.')
    }
    const issuedAt = (iat ?? 0) * 1000
    const tokenId = tokenIdOf(claims, token)
    return {
      user,
      subject: sub,
      tokenId,
      role,
      device,
      issuedAt,
      expiresAt: exp * 1000 + this.#leewayMs,
    }
  }
}

/** A token itself never goes to a log. */
function tokenIdOf({ jti }: JWTPayload, token: string): string {
  if (typeof jti === 'string' && /^[ -~]{1,128}$/.test(jti)) return jti
  return `sha256:${createHash('sha256').update(token).digest('hex').slice(0, 16)}`
}

function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) {
    return `This token expired on ${dateOf((error.payload.exp ?? 0) * 1000)}.`
  }
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'This is no signed token.'
  const { claim, reason } = error
  if (reason === 'missing') return `${claim} is missing in this token.`
  if (claim === 'nbf') return 'This token is not in force yet.'
  if (claim === 'aud') return 'This token is for another audience.'
  if (claim === 'iss') return 'This token is by another issuer.'
  return `${claim} of this token is wrong.`
}

/** `exp` may be any number, beyond what a date can be. */
function dateOf(wallMs: number): string {
  const date = new Date(wallMs)
  return Number.isNaN(date.getTime()) ? 'a day that is none' : date.toISOString()
}

const isRole = (value: unknown): value is Role => (ROLES as readonly unknown[]).includes(value)
const isUser = (text: unknown): text is string =>
  typeof text === 'string' && isOfAlphabet(text, 'printable', LIMITS.userLength)
const isDevice = (text: string): boolean => isOfAlphabet(text, 'name', LIMITS.deviceLength)
