/**
 * The log is whole but says something this version does not know, or never wrote. Opening it again
 * with the version that wrote it is right; guessing is not. The files are left as they were.
 */
export class LogFormatError extends Error {
  override readonly name = 'LogFormatError'
  readonly code = 'LOG_FORMAT'
  readonly isRefused = true
}
