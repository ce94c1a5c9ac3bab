import { type WireError, wireError } from '#protocol'
import { isRefusal, unauthenticated } from '../gateway/auth.ts'
import { isLoopback } from '../gateway/origin-policy.ts'
import { bearerToken } from './caller-identity.ts'
import type { HttpCall } from './route.ts'

/**
 * Why a call may not operate the cluster; `null` if it may: with a token of role `admin`, or without
 * any from this machine, if the node is in dev mode or has no key to check tokens with.
 */
export async function adminRefusal({ request, context }: HttpCall): Promise<WireError | null> {
  const { authenticator, options, metrics } = context
  const token = bearerToken(request.header('authorization'))
  if (token === null) return unauthenticated('Authorization must be: Bearer TOKEN.')
  if (token === undefined) {
    const isOpen = options.dev || !authenticator.checksTokens
    if (isOpen && isLoopback(request.remote)) return null
    return unauthenticated('This needs a token of role admin: Authorization: Bearer TOKEN.')
  }
  const identity = await authenticator.authenticate({ token }, request.remote)
  if (isRefusal(identity)) {
    metrics.authFailures.add()
    return identity
  }
  if (identity.role === 'admin') return null
  return wireError('FORBIDDEN', `This needs a token of role admin, not ${identity.role}.`)
}
