import { randomBytes } from 'node:crypto'
import { ChatClient, ChatError } from '#client'
import { CliError, ExitCode } from './exit-codes.ts'
import { printJson } from './output.ts'

/** Someone watches: a node that is back is found within this time, not within a minute. */
const RECONNECT_MS = 2_000

/**
 * Connects as `user` to one of `urls`, as a device of its own: a command takes nobody's session
 * away. Rejects with a `ChatError`. The caller closes it.
 */
export function connectAs(
  user: string,
  urls: readonly string[],
  limitMs: number,
): Promise<ChatClient> {
  const device = `cli-${randomBytes(6).toString('hex')}`
  const retry = { maxDelayMs: RECONNECT_MS }
  return ChatClient.connect({ urls, user, device, retry, connectTimeoutMs: limitMs })
}

/**
 * A verdict of the cluster is a refusal; what may be tried again, a failure. With `json` a program
 * finds the same in a document on stdout, with the `msgId` to try again under if there is one.
 */
export function explainChatError(
  error: unknown,
  { json = false, msgId }: { readonly json?: boolean | undefined; readonly msgId?: string } = {},
): unknown {
  if (!ChatError.is(error)) return error
  const { code, message, retryable, outcome } = error
  if (json) {
    printJson({
      error: { code, message, retryable, outcome, ...(msgId === undefined ? {} : { msgId }) },
    })
  }
  const exitCode =
    outcome === 'unknown' ? ExitCode.outcomeUnknown : retryable ? ExitCode.failed : ExitCode.refused
  return new CliError(exitCode, `${code}: ${message}`, { cause: error })
}
