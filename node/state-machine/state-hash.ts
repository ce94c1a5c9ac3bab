import { crc32c } from '@node-rs/crc32'
import type { Entry } from '#cluster'
import type { WriteResult } from './types.ts'

const digits = Buffer.alloc(12)

/**
 * Running hash over everything applied, equal on every node at an equal index (rule K5): a CRC32C
 * over the bytes of each entry as apply saw them, and two mixed lanes over the verdicts. One node
 * whose memory, code or store differs shows within the next report.
 */
export class StateHash {
  #commands: number
  #high: number
  #low: number

  constructor(parts: readonly [number, number, number]) {
    this.#commands = parts[0]
    this.#high = parts[1]
    this.#low = parts[2]
  }

  get parts(): readonly [number, number, number] {
    return [this.#commands, this.#high, this.#low]
  }

  toString(): string {
    digits.writeUInt32BE(this.#commands, 0)
    digits.writeUInt32BE(this.#high, 4)
    digits.writeUInt32BE(this.#low, 8)
    return digits.toString('hex')
  }

  entry(entry: Entry): void {
    this.#commands = crc32c(entry.data, this.#commands) >>> 0
    this.#mix(entry.index, entry.type)
  }

  result(result: WriteResult): void {
    if (result.ok) {
      this.#mix(result.seq * 2 + (result.duplicate ? 1 : 0), result.ord)
      this.#mix(result.at, result.msgId.length)
    } else {
      let code = 7
      for (let i = 0; i < result.code.length; i += 1) {
        code = Math.imul(code, 31) + result.code.charCodeAt(i)
      }
      this.#mix(code, result.msgId.length)
    }
  }

  /** A member's cursor rose. */
  cursor(position: number, previous: number, upTo: number): void {
    this.#mix(upTo, position)
    this.#mix(previous, 2)
  }

  /** `sum` over the inbox numbers that one event was given. */
  inboxes(sum: number): void {
    this.#mix(sum, 1)
  }

  /** Integers up to 2^53: the upper part counts too. */
  #mix(one: number, other: number): void {
    let high = this.#high ^ (one | 0) ^ Math.imul((one / 0x1_0000_0000) | 0, 0x9e3779b1)
    let low = this.#low ^ (other | 0) ^ Math.imul((other / 0x1_0000_0000) | 0, 0x85ebca6b)
    high = Math.imul(high ^ (high >>> 15), 0x2c1b3c6d) + low
    low = Math.imul(low ^ (low >>> 13), 0x297a2d39) + high
    this.#high = (high ^ (high >>> 16)) >>> 0
    this.#low = (low ^ (low >>> 16)) >>> 0
  }
}
