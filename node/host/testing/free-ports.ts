import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Above what `fetch` refuses to call, and below what the system hands out by itself, so that no
 * outgoing connection takes the port of a node that is down for a moment.
 */
const FIRST_PORT = 10_240
const BLOCK = 128
const BLOCKS = 170

/** The next port of this process's block, and the end of that. */
let next = 0
let end = 0

/**
 * Ports of 127.0.0.1, one after the other, at which nobody listens. They are this process's own
 * until it ends: a process that asks listens at the first port of a block for as long as it lives,
 * and whoever asks beside it takes another block.
 *
 * @param count up to 127
 * @throws Error if programs listen in every block
 */
export async function freePorts(count: number): Promise<number[]> {
  if (!Number.isSafeInteger(count) || count < 1 || count >= BLOCK) {
    throw new RangeError(`up to ${BLOCK - 1} ports can be had at once, not ${count}`)
  }
  for (;;) {
    while (next + count > end) await takeBlock()
    const ports = Array.from({ length: count }, (_, at) => next + at)
    next += count
    // A program that knows nothing of blocks may listen here, or a node that outlived its test.
    const free = await Promise.all(ports.map((port) => listens(port, 'briefly')))
    if (free.every(Boolean)) return ports
  }
}

async function takeBlock(): Promise<void> {
  const start = randomInt(BLOCKS)
  for (let tried = 0; tried < BLOCKS; tried += 1) {
    const first = FIRST_PORT + ((start + tried) % BLOCKS) * BLOCK
    if (!(await listens(first, 'for life'))) continue
    next = first + 1
    end = first + BLOCK
    return
  }
  throw new Error(`programs listen all over ${FIRST_PORT} to ${FIRST_PORT + BLOCKS * BLOCK}`)
}

/** Whether this process could listen there. */
function listens(port: number, howLong: 'briefly' | 'for life'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      if (howLong === 'briefly') server.close(() => resolve(true))
      else {
        server.unref()
        resolve(true)
      }
    })
  })
}
