import { assert } from '#cluster'
import { DedupePartition } from './dedupe-partition.ts'
import { DedupeStage } from './dedupe-stage.ts'

/** A generation spans this share of the window, so that at most ten are probed. */
const GENERATIONS_PER_WINDOW = 8

/** Set in a slot's value if it numbers a verdict instead of an event. */
export const VERDICT_FLAG = 0x8000_0000

export interface DedupeBlock {
  readonly bytes: Uint8Array
  /** Greatest log time of its slots. */
  readonly maxLogTime: number
}

/**
 * Where each key's result is: a 64-bit hash of the key → event seq or verdict number, in memory, 12
 * bytes a slot. A hit only says where to look: the caller verifies it against what is stored there
 * and compares times (rule A3), so dropping a generation that the window left frees memory and
 * changes no verdict.
 */
export class DedupeTable {
  readonly #partitionBits: number
  /** Oldest first. */
  #generations: Generation[] = []
  /** Slots of the dirty generation: what the next cut writes. */
  #fresh = new Uint32Array(3 * 256)
  #freshLength = 0
  #freshMaxLogTime = 0

  /** 2^`partitionBits` tables grow one at a time, so that no insert waits for a large copy. */
  constructor(partitionBits = 8) {
    this.#partitionBits = partitionBits
  }

  /** Slots in memory. */
  get size(): number {
    let size = 0
    for (const generation of this.#generations) size += generation.size
    return size
  }

  get bytes(): number {
    let bytes = this.#fresh.byteLength
    for (const generation of this.#generations) bytes += generation.bytes
    return bytes
  }

  insert(high: number, low: number, value: number, logTime: number, windowMs: number): void {
    assert(value > 0 && value <= 0xffff_ffff, `a dedupe slot cannot hold ${value}`)
    this.#place(high, low, value, logTime, windowMs)
    if (this.#freshLength === this.#fresh.length) {
      const larger = new Uint32Array(this.#fresh.length * 2)
      larger.set(this.#fresh)
      this.#fresh = larger
    }
    this.#fresh[this.#freshLength] = high
    this.#fresh[this.#freshLength + 1] = low
    this.#fresh[this.#freshLength + 2] = value
    this.#freshLength += 3
    this.#freshMaxLogTime = Math.max(this.#freshMaxLogTime, logTime)
  }

  /**
   * Fills `found` with the values under the hash that may be at or after `bound` in log time, oldest
   * generation last; returns how many. The newest generation is always looked at: its times still
   * grow, and prefetch must have seen whatever apply of the same entry will see.
   */
  find(high: number, low: number, bound: number, found: number[]): number {
    let count = 0
    const newest = this.#generations.length - 1
    for (let i = newest; i >= 0; i -= 1) {
      const generation = this.#generations[i]!
      if (i < newest && generation.maxLogTime < bound) break
      count = generation.find(high, low, found, count)
    }
    return count
  }

  /** Gives up generations whose every result is older than the window. */
  drop(windowStart: number): void {
    while (this.#generations.length > 0 && this.#generations[0]!.maxLogTime < windowStart) {
      this.#generations.shift()
    }
  }

  /** Hands over what came in since the last call, for a cut. */
  takeFresh(): DedupeBlock | null {
    if (this.#freshLength === 0) return null
    const slots = this.#fresh.subarray(0, this.#freshLength)
    const block = {
      bytes: new Uint8Array(slots.buffer, slots.byteOffset, slots.byteLength),
      maxLogTime: this.#freshMaxLogTime,
    }
    this.#fresh = new Uint32Array(3 * 256)
    this.#freshLength = 0
    this.#freshMaxLogTime = 0
    return block
  }

  /** Puts back into an empty table what cuts wrote, oldest first. */
  async load(blocks: AsyncIterable<DedupeBlock>, windowMs: number): Promise<void> {
    assert(this.#generations.length === 0, 'only an empty table is loaded')
    const bits = this.#partitionBits
    let stage = new DedupeStage(bits)
    for await (const { bytes, maxLogTime } of blocks) {
      const newest = this.#generations.at(-1)
      if (newest === undefined || newest.endsBefore(maxLogTime, windowMs)) {
        newest?.fill(stage)
        stage = new DedupeStage(bits)
        this.#generations.push(new Generation(bits, maxLogTime))
      } else newest.reach(maxLogTime)
      stage.add(bytes)
    }
    this.#generations.at(-1)?.fill(stage)
  }

  #place(high: number, low: number, value: number, logTime: number, windowMs: number): void {
    let newest = this.#generations[this.#generations.length - 1]
    if (newest === undefined || newest.endsBefore(logTime, windowMs)) {
      newest = new Generation(this.#partitionBits, logTime)
      this.#generations.push(newest)
    }
    newest.insert(high, low, value)
    newest.reach(logTime)
  }
}

class Generation {
  readonly #minLogTime: number
  #maxLogTime: number
  #partitions: (DedupePartition | undefined)[]
  readonly #shift: number

  constructor(partitionBits: number, logTime: number) {
    this.#minLogTime = logTime
    this.#maxLogTime = logTime
    this.#partitions = new Array<DedupePartition | undefined>(2 ** partitionBits).fill(undefined)
    this.#shift = 32 - partitionBits
  }

  get maxLogTime(): number {
    return this.#maxLogTime
  }

  /** A slot of this log time belongs to a later generation. */
  endsBefore(logTime: number, windowMs: number): boolean {
    return logTime - this.#minLogTime > windowMs / GENERATIONS_PER_WINDOW
  }

  /** Log time never falls, so generations stay in order of their times. */
  reach(logTime: number): void {
    assert(logTime >= this.#maxLogTime, 'log time fell between two dedupe slots')
    this.#maxLogTime = logTime
  }

  fill(stage: DedupeStage): void {
    this.#partitions = stage.take()
  }

  get size(): number {
    return this.#partitions.reduce((sum, partition) => sum + (partition?.size ?? 0), 0)
  }

  get bytes(): number {
    return this.#partitions.reduce((sum, partition) => sum + (partition?.bytes ?? 0), 0)
  }

  insert(high: number, low: number, value: number): void {
    const at = high >>> this.#shift
    let partition = this.#partitions[at]
    if (partition === undefined) this.#partitions[at] = partition = new DedupePartition()
    partition.insert(high, low, value)
  }

  find(high: number, low: number, found: number[], count: number): number {
    const partition = this.#partitions[high >>> this.#shift]
    return partition === undefined ? count : partition.find(high, low, found, count)
  }
}
