let listener: (() => void) | null = null
let isCaught = false
let isWaiting = false

/** From now on a SIGHUP does not end the process; one that comes before `onHangup` is told then. */
export function catchHangups(): void {
  if (isCaught) return
  isCaught = true
  process.on('SIGHUP', () => {
    if (listener === null) isWaiting = true
    else listener()
  })
}

export function onHangup(heard: () => void): void {
  listener = heard
  if (isWaiting) heard()
  isWaiting = false
}
