import type { PushTarget } from '../state-machine/commands.ts'

/** One call of a device that is away. */
export interface PushCall {
  readonly user: string
  readonly device: string
  readonly target: PushTarget
  /** The entry of the user's inbox that the device is called for. */
  readonly inbox: number
  /** 32 characters, the same whenever this call is repeated: whoever knows it already does nothing. */
  readonly key: string
  /** The newest message that the device lacks, if the operator lets that out. */
  readonly position: { readonly conv: string; readonly seq: number } | null
}

export type PushOutcome =
  | { readonly is: 'sent' }
  /** The endpoint is no more and will not come back. */
  | { readonly is: 'gone' }
  /** It will never take this call. */
  | { readonly is: 'refused'; readonly why: string }
  /** Worth another try, not before so long. */
  | { readonly is: 'failed'; readonly why: string; readonly retryAfterMs: number }

/** A way to call devices. Never rejects, and decides within `timeoutMs`. */
export interface PushProvider {
  readonly kind: PushTarget['kind']
  call(call: PushCall, timeoutMs: number): Promise<PushOutcome>
}

/** One POST to somebody else's server. */
export interface HttpPost {
  post(request: {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: Uint8Array | string
    readonly timeoutMs: number
  }): Promise<{ readonly status: number; readonly retryAfterMs: number } | { readonly why: string }>
}

/** What an operator says of push. */
export interface PushSettings {
  /** At most one of a kind. */
  readonly providers: readonly PushProvider[]
  /** Calls name the conversation and the seq. @default false: they say that there is something */
  readonly withPosition?: boolean
  /** What browsers subscribe with, base64url; `null`: there is no web push here. */
  readonly vapidPublicKey: string | null
  /** Why the node would not send there; `null`: it would. */
  endpointFault(target: PushTarget): string | null
}
