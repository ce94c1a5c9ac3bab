/** A safety check refused it, and nothing was changed: `message` says what to do instead. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly isRefused = true
}
