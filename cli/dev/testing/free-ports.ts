import { randomInt } from 'node:crypto'
import { isFree } from '../free-ports.ts'

/**
 * Ports `base + offset` that were free a moment ago, and returns `base`. They are below those that
 * the system hands out by itself, so that nothing takes one by chance in between.
 */
export async function freePortRange(offsets = [0, 1, 2, 100, 101, 102]): Promise<number> {
  for (;;) {
    const base = randomInt(10_081, 30_000)
    const free = await Promise.all(offsets.map((offset) => isFree(`127.0.0.1:${base + offset}`)))
    if (free.every(Boolean)) return base
  }
}
