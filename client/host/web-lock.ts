/** The part of the Web Locks API that is used here. */
export interface WebLocks {
  request(
    name: string,
    options: { readonly ifAvailable: true },
    held: (lock: object | null) => Promise<void>,
  ): Promise<void>
}

/** Takes a lock for as long as the page lives; `null` if another tab has it. */
export function takeWebLock(locks: WebLocks, name: string): Promise<(() => void) | null> {
  return new Promise((resolve, reject) => {
    const request = locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) {
        resolve(null)
        return Promise.resolve()
      }
      return new Promise((release) => resolve(release))
    })
    request.catch(reject)
  })
}
