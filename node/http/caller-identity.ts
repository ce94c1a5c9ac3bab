import {
  type HelloRequest,
  ProtocolError,
  validateFrame,
  type WireError,
  wireError,
} from '#protocol'
import { type Identity, isRefusal, unauthenticated } from '../gateway/auth.ts'
import { drainingError } from '../gateway/gateway-context.ts'
import { HTTP_DEVICE } from './http-caller.ts'
import type { HttpCall } from './route.ts'

/**
 * Who calls: the bearer token's user, or the one named by `?user=` where that is allowed (a service's
 * token; dev mode over loopback). The same verifier as for `hello:R`.
 */
export async function callerOf(call: HttpCall): Promise<Identity | WireError> {
  const { request, context } = call
  if (context.draining()) return drainingError(context.backend)
  const token = bearerToken(request.header('authorization'))
  if (token === null) return unauthenticated('Authorization must be: Bearer TOKEN.')
  const user = request.query.get('user') ?? undefined
  if (user === undefined && token === undefined) {
    return unauthenticated(
      'Give a token: Authorization: Bearer TOKEN. In dev mode, ?user=NAME does.',
    )
  }
  const hello: HelloRequest = {
    t: 'hello:R',
    id: 0,
    v: [1, 1],
    device: HTTP_DEVICE,
    user,
    token,
  }
  try {
    validateFrame(hello)
  } catch (error) {
    if (error instanceof ProtocolError) return wireError(error.code, error.message)
    throw error
  }
  // No device calls: a token of one is good here as well.
  const identity = await context.authenticator.authenticate({ user, token }, request.remote)
  if (isRefusal(identity)) context.metrics.authFailures.add()
  return identity
}

/** `undefined`: none was given; `null`: something else was. */
export function bearerToken(header: string | null): string | null | undefined {
  if (header === null) return undefined
  return /^Bearer +([^\s]+)$/i.exec(header.trim())?.[1] ?? null
}
