import { type WireError, wireError } from '#protocol'
import { type Identity, isRefusal, unauthenticated } from '../gateway/auth.ts'
import { isLoopback } from '../gateway/origin-policy.ts'
import { bearerToken } from './caller-identity.ts'
import type { HttpCall, RouteDoc } from './route.ts'

/**
 * What a call is let in with that acts for nobody in particular. In dev mode it needs no token from
 * this machine. Where the node has no key to check one with, operating it stays possible from there
 * too; reading everybody's messages does not.
 */
const GUARDS = {
  admin: { roles: ['admin'], isOpenWithoutKeys: true },
  service: { roles: ['service', 'admin'], isOpenWithoutKeys: false },
} as const

/** Who calls, `null` where nobody in particular needs to; or why the call may not have an answer. */
export async function roleGuard(
  { request, context }: HttpCall,
  role: RouteDoc['role'],
): Promise<{ readonly identity: Identity | null } | { readonly refusal: WireError }> {
  if (role !== 'admin' && role !== 'service') return { identity: null }
  const { roles, isOpenWithoutKeys } = GUARDS[role]
  const { authenticator, options, metrics } = context
  const token = bearerToken(request.header('authorization'))
  if (token === null) {
    return { refusal: unauthenticated('Authorization must be: Bearer TOKEN.') }
  }
  if (token === undefined) {
    const isOpen = options.dev || (isOpenWithoutKeys && !authenticator.checksTokens)
    if (isOpen && isLoopback(request.remote)) return { identity: null }
    const needed = `This needs a token of role ${role}: Authorization: Bearer TOKEN.`
    return { refusal: unauthenticated(needed) }
  }
  const identity = await authenticator.authenticate({ token }, request.remote)
  if (isRefusal(identity)) {
    metrics.authFailures.add()
    return { refusal: identity }
  }
  if ((roles as readonly string[]).includes(identity.role)) return { identity }
  return {
    refusal: wireError('FORBIDDEN', `This needs a token of role ${role}, not ${identity.role}.`),
  }
}
