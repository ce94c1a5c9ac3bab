// Whether whoever started this process is still there. Runs on Node 20.

const LOOK_MS = 500

/**
 * Calls `onGone` once when the process that started this one has ended, where its end means that
 * this one should end as well:
 *
 * - it holds an IPC channel to this one: that closes however it dies;
 * - it is the shell between npm and this one: npm passes a SIGTERM to that shell, which dies of it
 *   and tells nobody.
 *
 * A shell that merely started this in the background may go.
 *
 * @param {() => void} onGone
 */
export function watchParent(onGone) {
  let gone = false
  const tell = () => {
    if (!gone) onGone()
    gone = true
  }
  if (process.connected) {
    process.once('disconnect', tell)
    // Listening must not keep this process alive.
    process.channel?.unref()
  } else if (process.connected === false) {
    // It ended before this process came to look.
    setImmediate(tell)
  }
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    tell()
  }, LOOK_MS)
  timer.unref()
}
