import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Ports `base + offset` that were free a moment ago, and returns `base`. They are below those that
 * the system hands out by itself, so that nothing takes one by chance in between.
 */
export async function freePortRange(offsets = [0, 1, 2, 100, 101, 102]): Promise<number> {
  for (;;) {
    const base = randomInt(10_000, 30_000)
    const free = await Promise.all(offsets.map((offset) => isFree(base + offset)))
    if (free.every(Boolean)) return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
