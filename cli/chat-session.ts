import { randomBytes } from 'node:crypto'
import { ChatClient, ChatError } from '#client'
import { CliError, ExitCode } from './exit-codes.ts'
import { printJson } from './output.ts'
import { readToken, userOfToken } from './token-file.ts'

/** Someone watches: a node that is back is found within this time, not within a minute. */
const RECONNECT_MS = 2_000

/** Who a command is: what `--as` and `--token-file` say. */
export interface Speaker {
  readonly as?: string
  readonly tokenFile?: string
}

/**
 * Connects to one of `urls`, as a device of its own: a command takes nobody's session away. Rejects
 * with a `ChatError`. The caller closes it.
 */
export function connectAs(
  speaker: Speaker,
  urls: readonly string[],
  limitMs: number,
): Promise<ChatClient> {
  const user = speakerName(speaker)
  const { tokenFile } = speaker
  const device = `cli-${randomBytes(6).toString('hex')}`
  const retry = { maxDelayMs: RECONNECT_MS }
  const common = { urls, user, device, retry, connectTimeoutMs: limitMs }
  if (tokenFile === undefined) return ChatClient.connect(common)
  return ChatClient.connect({ ...common, getToken: () => readToken(tokenFile) })
}

/** @throws CliError if nobody is named */
export function speakerName({ as, tokenFile }: Speaker): string {
  const user = as ?? (tokenFile === undefined ? null : userOfToken(tokenFile))
  if (user !== null) return user
  throw new CliError(ExitCode.usage, 'say who you are: --as <user>, or --token-file')
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
