import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, importJWK, importSPKI, type JWK } from 'jose'

type CryptoKey = Awaited<ReturnType<typeof importSPKI>>

/** A key that signatures are checked with, and the only algorithms that it is used for. */
export interface VerificationKey {
  /** Named by the header of a token; `null`: every token of these algorithms is tried. */
  readonly kid: string | null
  readonly algorithms: readonly string[]
  readonly key: CryptoKey | Uint8Array
  /** Tells it from other keys, wherever it was read. */
  readonly fingerprint: string
}

/** Nothing else is ever checked: `none` and keys of another kind are refused by their name alone. */
export const ALGORITHMS = [
  ...['HS256', 'EdDSA', 'Ed25519', 'ES256', 'ES384', 'RS256', 'RS384', 'RS512', 'PS256'],
] as const

const ED25519 = ['EdDSA', 'Ed25519']
const RSA = ['RS256', 'RS384', 'RS512', 'PS256']
/** A shorter secret can be guessed from one token (RFC 7518 §3.2). */
export const LEAST_SECRET_BYTES = 32
const MOST_KEYS = 100

/** A key file that cannot be used; the message says what to do. */
export class KeyFormatError extends Error {
  override readonly name = 'KeyFormatError'
}

/**
 * Secrets for HS256: a JWK, a set of them, or the bytes of a text of at least 32 bytes.
 *
 * @throws KeyFormatError
 */
export async function secretKeys(text: string): Promise<VerificationKey[]> {
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) {
    const keys = await Promise.all(jwksOf(trimmed).map(secretKey))
    return keys.length > 0 ? keys : refuse('it holds no key')
  }
  return [secretOf(null, new TextEncoder().encode(trimmed))]
}

/**
 * Public Ed25519 keys: PEM (`BEGIN PUBLIC KEY`), a JWK or a set of them.
 *
 * @throws KeyFormatError
 */
export async function publicKeys(text: string): Promise<VerificationKey[]> {
  const trimmed = text.trim()
  if (trimmed.includes('PRIVATE KEY')) refuse('it holds a private key: give nodes the public one')
  if (trimmed.includes('BEGIN PUBLIC KEY')) {
    const key = await importSPKI(trimmed, 'EdDSA').catch(() => refuse('it is no Ed25519 key'))
    const fingerprint = await calculateJwkThumbprint(await exportJWK(key))
    return [{ kid: null, algorithms: ED25519, key, fingerprint }]
  }
  if (!trimmed.startsWith('{')) refuse('it is neither PEM (BEGIN PUBLIC KEY) nor a JWK')
  const jwks = jwksOf(trimmed)
  if (jwks.some((jwk) => jwk.kty !== 'OKP')) refuse('it holds a key that is no Ed25519 key')
  return asymmetricKeys(jwks)
}

/**
 * The keys of a document as identity providers publish it (RFC 7517 §5). What is not for signatures,
 * or of a kind that is not used here, is left out.
 *
 * @throws KeyFormatError
 */
export async function documentKeys(text: string): Promise<VerificationKey[]> {
  const usable = jwksOf(text).filter(
    (jwk) => (jwk.use ?? 'sig') === 'sig' && jwk.kty !== 'oct' && algorithmsOf(jwk) !== null,
  )
  return usable.length > 0 ? asymmetricKeys(usable) : refuse('it holds no key for signatures')
}

function asymmetricKeys(jwks: readonly JWK[]): Promise<VerificationKey[]> {
  return Promise.all(
    jwks.map(async (jwk) => {
      const algorithms = algorithmsOf(jwk)
      if (algorithms === null) return refuse('it holds a key of a kind that is not used here')
      if (jwk.d !== undefined) return refuse('it holds a private key: give nodes the public one')
      const fingerprint = await calculateJwkThumbprint(jwk).catch(() => refuse('no key'))
      const kid = jwk.kid ?? fingerprint
      const key = await importJWK(jwk, algorithms[0]).catch(() => refuse(`key ${kid} is no key`))
      return { kid, algorithms, key, fingerprint }
    }),
  )
}

async function secretKey(jwk: JWK): Promise<VerificationKey> {
  if (jwk.kty !== 'oct' || (jwk.alg ?? 'HS256') !== 'HS256') {
    return refuse('it holds a key that is no secret for HS256')
  }
  const key = await importJWK(jwk, 'HS256').catch(() => refuse('it holds a secret without "k"'))
  return secretOf(jwk.kid ?? null, key as Uint8Array)
}

function secretOf(kid: string | null, secret: Uint8Array): VerificationKey {
  const fingerprint = createHash('sha256').update(secret).digest('base64url')
  return { kid, algorithms: ['HS256'], key: strong(secret), fingerprint }
}

function strong(secret: Uint8Array): Uint8Array {
  if (secret.length >= LEAST_SECRET_BYTES) return secret
  return refuse(`a secret has at least ${LEAST_SECRET_BYTES} bytes, this one ${secret.length}`)
}

/** One algorithm a key: that of an RSA key without `alg` is RS256, as providers mean it. */
function algorithmsOf({ kty, crv, alg }: JWK): readonly string[] | null {
  if (kty === 'OKP' && crv === 'Ed25519') return ED25519
  const only =
    kty === 'EC' && crv === 'P-256'
      ? 'ES256'
      : kty === 'EC' && crv === 'P-384'
        ? 'ES384'
        : kty === 'RSA' && (alg === undefined || RSA.includes(alg))
          ? (alg ?? 'RS256')
          : null
  return only === null || (alg ?? only) !== only ? null : [only]
}

function jwksOf(text: string): JWK[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse('it is no JSON')
  }
  const keys = isRecord(value) ? (value['keys'] ?? [value]) : null
  if (!Array.isArray(keys) || !keys.every(isJwk)) return refuse('it is no JWK and no set of them')
  if (keys.length > MOST_KEYS) return refuse(`it holds more than ${MOST_KEYS} keys`)
  return keys
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function isJwk(value: unknown): value is JWK {
  if (!isRecord(value) || typeof value['kty'] !== 'string') return false
  return ['kid', 'alg', 'crv', 'use'].every(
    (name) => value[name] === undefined || typeof value[name] === 'string',
  )
}

function refuse(message: string): never {
  throw new KeyFormatError(message)
}
