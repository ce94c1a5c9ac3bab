import { randomBytes } from 'node:crypto'
import { ChatClient, ChatError } from '#client'
import { CliError, ExitCode } from './exit-codes.ts'

/**
 * Connects as `user` to one of `urls`, as a device of its own: a command takes nobody's session
 * away. The caller closes it.
 */
export async function connectAs(
  user: string,
  urls: readonly string[],
  limitMs: number,
): Promise<ChatClient> {
  const device = `cli-${randomBytes(6).toString('hex')}`
  try {
    return await ChatClient.connect({ urls, user, device, connectTimeoutMs: limitMs })
  } catch (error) {
    throw explainChatError(error)
  }
}

/** A verdict of the cluster is a refusal; what may be tried again, a failure. */
export function explainChatError(error: unknown): unknown {
  if (!ChatError.is(error)) return error
  const code =
    error.outcome === 'unknown'
      ? ExitCode.outcomeUnknown
      : error.retryable
        ? ExitCode.failed
        : ExitCode.refused
  return new CliError(code, `${error.code}: ${error.message}`, { cause: error })
}
