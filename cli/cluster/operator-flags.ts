import type { AdminCall } from './admin-call.ts'
import { findUrls } from './find-urls.ts'

/** How a command that asks nodes on behalf of an operator finds them, and how long it waits. */
export interface OperatorFlags {
  readonly url?: string[]
  readonly tokenFile?: string
  /** In ms. */
  readonly timeout: number
}

/** @throws CliError if they name no node and there is no cluster around here */
export function adminCallOf({ url, tokenFile, timeout }: OperatorFlags): AdminCall {
  return { urls: findUrls(url), timeoutMs: timeout, tokenFile }
}
