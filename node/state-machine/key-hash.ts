/**
 * 64-bit hash over the parts of a dedupe key, as two 32-bit lanes that stay in registers: no BigInt,
 * no allocation. Not cryptographic: every hit is verified against what is stored, so a collision
 * costs time and never a verdict; the seeds are random per state so that nobody can prepare many.
 */
export class KeyHash {
  /** The lanes: read them right after `finish`, or keep them to go on from a common prefix. */
  high = 0
  low = 0

  start(high: number, low: number): this {
    this.high = high
    this.low = low
    return this
  }

  /** Feeds the text and its end, so that ('ab','c') and ('a','bc') differ. */
  text(text: string): this {
    let high = this.high
    let low = this.low
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i)
      high = Math.imul(high ^ code, 0x9e3779b1)
      low = Math.imul(low ^ code, 0x5f356495)
    }
    this.high = Math.imul(high ^ (high >>> 15) ^ 0x10001, 0x85ebca6b)
    this.low = Math.imul(low ^ (low >>> 13) ^ 0x10001, 0xc2b2ae35)
    return this
  }

  finish(): this {
    let high = this.high
    let low = this.low
    high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35)
    low = Math.imul(low ^ (low >>> 16), 0x27d4eb2f) ^ Math.imul(high ^ (high >>> 13), 0x165667b1)
    this.high = high >>> 0
    this.low = low >>> 0
    return this
  }
}
