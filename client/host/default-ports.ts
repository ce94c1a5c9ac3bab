import type { ClientPorts } from '../ports.ts'
import { openWebSocket } from './web-socket.ts'

/** The real world, as Node 24 and browsers have it alike. */
export function defaultPorts(): ClientPorts {
  return {
    clock: {
      wallMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs)
        return { cancel: () => clearTimeout(timer) }
      },
      defer: (run) => {
        setTimeout(run, 0)
      },
    },
    random: {
      uint32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
    },
    openSocket: openWebSocket,
  }
}
