/** The disk, or what its owner may use of it, is full. */
export function isNoRoom(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** A file could not be made for want of room, and nothing of it is left: no harm was done. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError'
  readonly code = 'ENOSPC'

  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}
