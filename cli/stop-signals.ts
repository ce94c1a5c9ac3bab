/**
 * The same request can arrive twice at once: a terminal, `timeout` and service managers signal every
 * process of a group, and the launcher passes on what it gets. Only a later one is a second request.
 */
const ECHO_MS = 500

/** Calls `stop` at the first of `signals`, `stopNow` at each that comes after more than an echo. */
export function onStopSignals(
  signals: readonly NodeJS.Signals[],
  { stop, stopNow }: { readonly stop: () => void; readonly stopNow: () => void },
): void {
  let firstAt: number | null = null
  const onSignal = () => {
    if (firstAt === null) {
      firstAt = performance.now()
      stop()
    } else if (performance.now() - firstAt > ECHO_MS) stopNow()
  }
  for (const signal of signals) process.on(signal, onSignal)
}
