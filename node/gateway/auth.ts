import { type HelloRequest, type WireError, wireError } from '#protocol'
import { isLoopback } from './origin-policy.ts'

export interface Identity {
  readonly user: string
}

/** Decides who speaks on a connection from its `hello:R`. */
export interface Authenticator {
  authenticate(hello: HelloRequest, remote: string): Identity | WireError
}

/** Dev mode: whoever connects from this machine is who it says. Nothing else is let in. */
export class DevAuthenticator implements Authenticator {
  readonly #dev: boolean

  constructor(options: { readonly dev: boolean }) {
    this.#dev = options.dev
  }

  authenticate(hello: HelloRequest, remote: string): Identity | WireError {
    if (hello.token !== undefined) {
      return refuse('This node has no key to check tokens with.')
    }
    if (hello.user === undefined) return refuse('hello:R needs a token.')
    if (!this.#dev) return refuse('A user without a token is let in by a node in dev mode only.')
    if (!isLoopback(remote)) {
      return refuse('A user without a token is let in from the same machine only.')
    }
    return { user: hello.user }
  }
}

export function isRefusal(outcome: Identity | WireError): outcome is WireError {
  return 'code' in outcome
}

function refuse(message: string): WireError {
  return wireError('AUTHENTICATION_FAILED', message)
}
