import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Ports that were free a moment ago, above 10080, which `fetch` refuses to call. They are below those that the system hands out by itself, so
 * that no outgoing connection takes the port of a node that is down.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(10_081, 32_000)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
