import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectError, WireConnection, type WireConnectionOptions } from './wire-connection.ts'

export interface SessionOptions extends Omit<WireConnectionOptions, 'url'> {
  /** Tried in turn, beginning with the one at `first`. */
  readonly urls: readonly string[]
  readonly first: number
  /** For all tries together. */
  readonly patienceMs: number
  readonly signal?: AbortSignal
}

const RETRY_MS = 100

/**
 * Opens a session wherever one is to be had: nodes admit only so many at a time, and one may be down.
 *
 * @throws ConnectError the last refusal, at once if it is final
 */
export async function openSession(options: SessionOptions): Promise<WireConnection> {
  const { urls, first, patienceMs, signal } = options
  const deadline = performance.now() + patienceMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await WireConnection.open({ ...options, url: urls[(first + attempt) % urls.length]! })
    } catch (error) {
      if (!(error instanceof ConnectError) || error.isFinal) throw error
      if (performance.now() > deadline || signal?.aborted === true) throw error
      await sleep(RETRY_MS + Math.random() * RETRY_MS)
    }
  }
}
