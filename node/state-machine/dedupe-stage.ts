import { assert } from '#cluster'
import { DedupePartition } from './dedupe-partition.ts'

const CHUNK_SLOTS = 256

/**
 * Sorts slots by partition before any table is made. Each table then has its final size at once and
 * is filled while it fits the processor's cache: a quarter of the time of inserting two million
 * slots in the order in which they came.
 */
export class DedupeStage {
  readonly #shift: number
  /** Of each partition what came for it; only the last chunk has room. */
  readonly #chunks: Uint32Array[][]
  /** Used words of the last chunk. */
  readonly #used: Uint32Array

  constructor(partitionBits: number) {
    this.#shift = 32 - partitionBits
    this.#chunks = Array.from({ length: 2 ** partitionBits }, () => [])
    this.#used = new Uint32Array(2 ** partitionBits).fill(3 * CHUNK_SLOTS)
  }

  /** Takes the slots of a block as a cut wrote it. */
  add(bytes: Uint8Array): void {
    assert(bytes.length % 12 === 0, 'a dedupe block holds half a slot')
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
    const slots = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
    for (let i = 0; i < slots.length; i += 3) {
      const partition = slots[i]! >>> this.#shift
      const chunks = this.#chunks[partition]!
      let at = this.#used[partition]!
      if (at === 3 * CHUNK_SLOTS) {
        chunks.push(new Uint32Array(3 * CHUNK_SLOTS))
        at = 0
      }
      const chunk = chunks[chunks.length - 1]!
      chunk[at] = slots[i]!
      chunk[at + 1] = slots[i + 1]!
      chunk[at + 2] = slots[i + 2]!
      this.#used[partition] = at + 3
    }
  }

  /** Makes the tables and lets go of everything else. */
  take(): (DedupePartition | undefined)[] {
    return this.#chunks.map((chunks, at) => {
      if (chunks.length === 0) return undefined
      const used = this.#used[at]!
      const partition = new DedupePartition((chunks.length - 1) * CHUNK_SLOTS + used / 3)
      chunks.forEach((chunk, i) => {
        const end = i === chunks.length - 1 ? used : chunk.length
        for (let j = 0; j < end; j += 3) partition.insert(chunk[j]!, chunk[j + 1]!, chunk[j + 2]!)
      })
      this.#chunks[at] = []
      return partition
    })
  }
}
