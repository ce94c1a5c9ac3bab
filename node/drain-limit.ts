import type { Clock, Logger } from '#cluster'

/** A node that was told to go has gone by then, whatever holds it up: all that counts is on disk. */
export const DRAIN_LIMIT_MS = 30_000

export interface LimitedDrain {
  /** As long as it takes, which nobody waits for beyond the limit. */
  drain(): Promise<void>
  /** Resolves if the limit passed first: the process is to end at once. */
  readonly gaveUp: Promise<Error>
}

/** A drain that is given up after `DRAIN_LIMIT_MS`: a disk or a client may hold it up for ever. */
export function limitedDrain({
  clock,
  logger,
  drain,
}: {
  readonly clock: Clock
  readonly logger: Logger
  readonly drain: () => Promise<void>
}): LimitedDrain {
  let giveUp: (error: Error) => void
  const gaveUp = new Promise<Error>((resolve) => (giveUp = resolve))
  return {
    gaveUp,
    drain: async () => {
      const timer = clock.after(DRAIN_LIMIT_MS, () => {
        const message = `not gone after ${DRAIN_LIMIT_MS / 1_000} s, so it ends at once: what was acknowledged is on disk`
        logger.error('node.drain.limit', { message })
        giveUp(new Error(message))
      })
      await drain()
      timer.cancel()
    },
  }
}
