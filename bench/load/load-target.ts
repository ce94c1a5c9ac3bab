/** Whom a load talks to, and as whom. */
export interface LoadTarget {
  /** Sessions are spread over them. */
  readonly urls: readonly string[]
  /** With which the names of all users of this load begin. */
  readonly prefix: string
  /** A token that may speak as any user; without one, users need none. */
  readonly token?: () => string
}

export const senderName = (prefix: string, at: number): string => `${prefix}-s${at}`
export const receiverName = (prefix: string, at: number): string => `${prefix}-r${at}`

/** What a session says of itself. */
export function helloOf({ token }: LoadTarget, user: string, device: string) {
  return {
    user,
    device,
    mode: 'notify' as const,
    ...(token === undefined ? {} : { token: token() }),
  }
}
