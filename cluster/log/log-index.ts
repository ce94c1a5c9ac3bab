import { assert } from '../assert.ts'

/** A run of whole frames in one segment, the first of which begins with entry `firstIndex`. */
export interface Mark {
  readonly firstIndex: number
  readonly segment: number
  readonly offset: number
  readonly bytes: number
}

/** Frames are gathered under one mark up to this many bytes: what one read has to walk through. */
const SPAN_BYTES = 4096
const START_MARKS = 1024

/**
 * Where on disk the entries stand: one mark of 20 bytes per 4 KiB of log (or per larger frame), in
 * typed arrays, so that millions of entries cost a few megabytes. A mark answers for the indexes
 * from its first one up to the next mark's: an overwriting frame always begins a mark of its own.
 */
export class LogIndex {
  #first = new Float64Array(START_MARKS)
  #segment = new Uint32Array(START_MARKS)
  #offset = new Uint32Array(START_MARKS)
  #bytes = new Uint32Array(START_MARKS)
  #head = 0
  #end = 0
  #begin = true

  get marks(): number {
    return this.#end - this.#head
  }

  /** Takes a frame whose first entry is `firstIndex`; whatever stood at or after it is replaced. */
  add(firstIndex: number, segment: number, offset: number, bytes: number): void {
    assert(offset + bytes < 2 ** 32, `offset ${offset} does not fit a segment`)
    while (this.#end > this.#head && this.#first[this.#end - 1]! >= firstIndex) {
      this.#end--
      this.#begin = true
    }
    const last = this.#end - 1
    if (!this.#begin && last >= this.#head && this.#segment[last] === segment) {
      const span = offset + bytes - this.#offset[last]!
      if (span <= SPAN_BYTES) {
        this.#bytes[last] = span
        return
      }
    }
    this.#push(firstIndex, segment, offset, bytes)
  }

  /** The next frame begins a mark of its own: entries of the last one are being replaced. */
  breakRun(): void {
    this.#begin = true
  }

  clear(): void {
    this.#head = 0
    this.#end = 0
    this.#begin = true
  }

  /** Forgets what stands in segments before `segment`. */
  dropBefore(segment: number): void {
    while (this.#head < this.#end && this.#segment[this.#head]! < segment) this.#head++
  }

  /** Everything from `offset` on in the newest segment went elsewhere. */
  cutAt(segment: number, offset: number): void {
    this.#begin = true
    while (this.#end > this.#head && this.#segment[this.#end - 1] === segment) {
      const last = this.#end - 1
      if (this.#offset[last]! < offset) {
        this.#bytes[last] = Math.min(this.#bytes[last]!, offset - this.#offset[last]!)
        return
      }
      this.#end--
    }
  }

  /** The mark that answers for `index`, and the index where the next one takes over. */
  find(index: number): { mark: Mark; until: number } {
    let low = this.#head
    let high = this.#end
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#first[middle]! <= index) low = middle + 1
      else high = middle
    }
    const at = low - 1
    assert(at >= this.#head, `no frame is known for entry ${index}`)
    return {
      mark: {
        firstIndex: this.#first[at]!,
        segment: this.#segment[at]!,
        offset: this.#offset[at]!,
        bytes: this.#bytes[at]!,
      },
      until: low < this.#end ? this.#first[low]! : Number.MAX_SAFE_INTEGER,
    }
  }

  #push(firstIndex: number, segment: number, offset: number, bytes: number): void {
    if (this.#end === this.#first.length) this.#makeRoom()
    const at = this.#end++
    this.#first[at] = firstIndex
    this.#segment[at] = segment
    this.#offset[at] = offset
    this.#bytes[at] = bytes
    this.#begin = false
  }

  /** Moves the marks to the front of arrays that are at most half full. */
  #makeRoom(): void {
    const { marks } = this
    const size = Math.max(START_MARKS, marks * 2)
    const first = new Float64Array(size)
    const segment = new Uint32Array(size)
    const offset = new Uint32Array(size)
    const bytes = new Uint32Array(size)
    first.set(this.#first.subarray(this.#head, this.#end))
    segment.set(this.#segment.subarray(this.#head, this.#end))
    offset.set(this.#offset.subarray(this.#head, this.#end))
    bytes.set(this.#bytes.subarray(this.#head, this.#end))
    this.#first = first
    this.#segment = segment
    this.#offset = offset
    this.#bytes = bytes
    this.#head = 0
    this.#end = marks
  }
}
