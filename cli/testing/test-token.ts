import { SignJWT } from 'jose'
import type { TestTokenOptions } from './test-cluster.ts'

/** A token as the nodes that have this secret take it. */
export async function signToken(
  secret: string,
  user: string,
  { role = 'user', device, ttlMs = 3_600_000 }: TestTokenOptions,
): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000)
  const claims = { sub: user, role, ...(device === undefined ? {} : { device }) }
  return new SignJWT({ ...claims, iat: nowS, exp: nowS + Math.max(1, Math.ceil(ttlMs / 1000)) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(Buffer.from(secret))
}
