import { randomBytes } from 'node:crypto'
import type { Random } from '#cluster'

const POOL_BYTES = 4096

/** The operating system's random source, fetched in blocks. */
export class NodeRandom implements Random {
  #pool = Buffer.alloc(0)
  #next = 0

  uint32(): number {
    if (this.#next === this.#pool.length) {
      this.#pool = randomBytes(POOL_BYTES)
      this.#next = 0
    }
    const value = this.#pool.readUInt32LE(this.#next)
    this.#next += 4
    return value
  }

  bytes(length: number): Uint8Array {
    return randomBytes(length)
  }
}
