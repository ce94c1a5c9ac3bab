import { type HelloRequest, type WireError, wireError } from '#protocol'
import { isLoopback } from './origin-policy.ts'

/**
 * - `user`: reads and writes as itself.
 * - `viewer`: reads as itself and writes nothing.
 * - `service`: a backend: speaks as any user.
 * - `admin`: operates the cluster; in conversations it is an ordinary user.
 */
export const ROLES = ['user', 'viewer', 'service', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** Who speaks, as proved by a token or, in dev mode, as it says. */
export interface Identity {
  readonly user: string
  readonly role: Role
  /** Whose token it is: of a service that speaks as somebody else, the service. */
  readonly subject: string
  /** Tells the token from others, for logs: its `jti`, or a digest. @default there is no token */
  readonly tokenId?: string
  /** Of the operator's key that the token is signed with. @default there is none, or it is published */
  readonly keyFingerprint?: string
  /** The device that the token is for; `null`: for any, or there is no token. */
  readonly device: string | null
  /** Wall time in ms at which the token was made, 0 if it does not say; `null`: no token. */
  readonly issuedAt: number | null
  /** Wall time in ms from which on it is refused; `null`: never. */
  readonly expiresAt: number | null
}

/** What a caller shows: `hello:R` is one, the headers of an HTTP call make another. */
export type Credentials = Partial<Pick<HelloRequest, 'token' | 'user' | 'device'>>

/**
 * Decides who speaks. Checks signature, dates and revocations of a token; an answer that comes at once
 * needs no other turn of the event loop.
 */
export interface Authenticator {
  /** Whether it has a key at all. */
  readonly checksTokens: boolean
  /** Whether it still believes the key by which somebody was let in. */
  trustsKeyOf(identity: Identity): boolean
  authenticate(
    credentials: Credentials,
    remote: string,
  ): Identity | WireError | Promise<Identity | WireError>
}

/** Dev mode: whoever connects from this machine is who it says. Nothing else is let in. */
export class DevAuthenticator implements Authenticator {
  readonly checksTokens = false
  readonly #dev: boolean

  constructor(options: { readonly dev: boolean }) {
    this.#dev = options.dev
  }

  trustsKeyOf({ keyFingerprint }: Identity): boolean {
    return keyFingerprint === undefined
  }

  authenticate({ token, user }: Credentials, remote: string): Identity | WireError {
    if (token !== undefined) return unauthenticated('This node has no key to check tokens with.')
    if (user === undefined) return unauthenticated('A token is needed.')
    if (!this.#dev) {
      return unauthenticated('A user without a token is let in by a node in dev mode only.')
    }
    if (!isLoopback(remote)) {
      return unauthenticated('A user without a token is let in from the same machine only.')
    }
    return { user, subject: user, role: 'user', device: null, issuedAt: null, expiresAt: null }
  }
}

export function isRefusal(outcome: Identity | WireError): outcome is WireError {
  return 'code' in outcome
}

export function unauthenticated(message: string): WireError {
  return wireError('AUTHENTICATION_FAILED', message)
}
