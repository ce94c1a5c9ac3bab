// What the tests, not the SDK, use of Node.js, for a page. Imported before them.
import { Buffer } from 'buffer'

type RejectionListener = (reason: unknown) => void

const listeners = new Map<RejectionListener, (event: Event) => void>()
const page = globalThis as unknown as {
  addEventListener(type: string, listener: (event: Event) => void): void
  removeEventListener(type: string, listener: (event: Event) => void): void
}

const { port1, port2 } = new MessageChannel()
const due: (() => void)[] = []
port1.addEventListener('message', () => due.shift()?.())
;(port1 as unknown as { start(): void }).start()

Object.assign(globalThis, {
  Buffer,
  /** After every promise that can settle, as in Node.js. */
  setImmediate: (run: () => void) => {
    due.push(run)
    port2.postMessage(null)
  },
  process: {
    env: {},
    on: (_: 'unhandledRejection', listener: RejectionListener) => {
      const own = (event: Event) => {
        event.preventDefault()
        listener((event as Event & { readonly reason: unknown }).reason)
      }
      listeners.set(listener, own)
      page.addEventListener('unhandledrejection', own)
    },
    off: (_: 'unhandledRejection', listener: RejectionListener) => {
      page.removeEventListener('unhandledrejection', listeners.get(listener)!)
    },
  },
})
