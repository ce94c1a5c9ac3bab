import type { PushTarget } from './commands.ts'

/** Places are part of the log and store format. */
export const PUSH_KINDS = ['webhook', 'web'] as const satisfies readonly PushTarget['kind'][]

/** Bytes of an endpoint. */
export const MAX_ENDPOINT_BYTES = 2_048

/** A point of P-256, uncompressed: 65 bytes as base64url. */
const P256DH = /^B[A-Za-z0-9_-]{86}$/
/** 16 bytes as base64url. */
const AUTH = /^[A-Za-z0-9_-]{22}$/

/** A sentence, if a device cannot be called this way; `null`: it is well-formed. */
export function pushTargetFault(target: PushTarget): string | null {
  const { endpoint } = target
  if (Buffer.byteLength(endpoint) > MAX_ENDPOINT_BYTES) {
    return `endpoint must be at most ${MAX_ENDPOINT_BYTES} bytes`
  }
  // Visible characters only: it goes into a URL or a header of somebody else's.
  if (!/^[\x21-\x7e]*$/.test(endpoint)) return 'endpoint must be printable ASCII without spaces'
  if (target.kind === 'webhook') return null
  if (!URL.canParse(endpoint)) return 'endpoint must be the URL that the browser gave'
  if (!P256DH.test(target.p256dh)) return 'keys.p256dh must be 65 bytes as base64url'
  return AUTH.test(target.auth) ? null : 'keys.auth must be 16 bytes as base64url'
}
