/** What a script learns from the end of a command. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  /** The cluster or one of its nodes is not what it should be; of a node: what it has on disk. */
  unhealthy: 3,
  /** The command may have had its effect: it was sent, and no answer came in time. */
  outcomeUnknown: 4,
  /** Refused by a rule or a safety check: nothing was changed. */
  refused: 5,
  usage: 64,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** Ends a command with an exit code and one message on stderr (none if it is empty). */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message = '', options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
