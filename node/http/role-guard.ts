import { type WireError, wireError } from '#protocol'
import { isRefusal, unauthenticated } from '../gateway/auth.ts'
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

/** Why the call may not have an answer of the route; `null` if it may, or acts for one user. */
export async function roleRefusal(
  { request, context }: HttpCall,
  role: RouteDoc['role'],
): Promise<WireError | null> {
  if (role !== 'admin' && role !== 'service') return null
  const { roles, isOpenWithoutKeys } = GUARDS[role]
  const { authenticator, options, metrics } = context
  const token = bearerToken(request.header('authorization'))
  if (token === null) return unauthenticated('Authorization must be: Bearer TOKEN.')
  if (token === undefined) {
    const isOpen = options.dev || (isOpenWithoutKeys && !authenticator.checksTokens)
    if (isOpen && isLoopback(request.remote)) return null
    return unauthenticated(`This needs a token of role ${role}: Authorization: Bearer TOKEN.`)
  }
  const identity = await authenticator.authenticate({ token }, request.remote)
  if (isRefusal(identity)) {
    metrics.authFailures.add()
    return identity
  }
  if ((roles as readonly string[]).includes(identity.role)) return null
  return wireError('FORBIDDEN', `This needs a token of role ${role}, not ${identity.role}.`)
}
