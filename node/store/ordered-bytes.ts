import { asBuffer } from '#cluster'

export interface BytesPair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Neighbours in order. Whoever does not own it copies it before it changes it. */
interface Chunk {
  readonly owner: object
  readonly keys: string[]
  readonly pairs: BytesPair[]
}

/** What is copied for one change; twice as much is split. */
const CHUNK_PAIRS = 64

/**
 * An ordered map from bytes to bytes. Keys are held as one-byte-per-unit strings, which order exactly
 * as the bytes do. `share` is free: the next writer copies the list of chunks, and of these only what
 * it changes.
 */
export class OrderedBytes {
  readonly #chunks: Chunk[]
  readonly #owner = {}
  #isShared = false
  #size = 0
  #bytes = 0

  constructor(chunks: readonly Chunk[] = []) {
    this.#chunks = [...chunks]
  }

  get size(): number {
    return this.#size
  }

  /** Of all keys and values. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const text = textOf(key)
    const chunk = this.#chunks[this.#chunkOf(text)]
    if (chunk === undefined) return undefined
    const at = lowerBound(chunk.keys, text)
    return chunk.keys[at] === text ? chunk.pairs[at]!.value : undefined
  }

  set(key: Uint8Array, value: Uint8Array): void {
    const text = textOf(key)
    if (this.#chunks.length === 0) {
      this.#chunks.push({ owner: this.#owner, keys: [], pairs: [] })
    }
    const place = this.#chunkOf(text)
    const { keys, pairs } = this.#ownChunk(place)
    const at = lowerBound(keys, text)
    this.#bytes += key.length + value.length
    if (keys[at] === text) {
      const old = pairs[at]!
      this.#bytes -= old.key.length + old.value.length
      pairs[at] = { key, value }
      return
    }
    keys.splice(at, 0, text)
    pairs.splice(at, 0, { key, value })
    this.#size += 1
    if (keys.length < 2 * CHUNK_PAIRS) return
    const upper = { keys: keys.splice(CHUNK_PAIRS), pairs: pairs.splice(CHUNK_PAIRS) }
    this.#chunks.splice(place + 1, 0, { owner: this.#owner, ...upper })
  }

  delete(key: Uint8Array): void {
    if (this.get(key) === undefined) return
    const text = textOf(key)
    const place = this.#chunkOf(text)
    const { keys, pairs } = this.#ownChunk(place)
    const at = lowerBound(keys, text)
    const old = pairs[at]!
    this.#bytes -= old.key.length + old.value.length
    this.#size -= 1
    keys.splice(at, 1)
    pairs.splice(at, 1)
    if (keys.length === 0) this.#chunks.splice(place, 1)
  }

  /** This very map, to be read only from now on: a writer goes on with `owned()`. */
  share(): OrderedBytes {
    this.#isShared = true
    return this
  }

  /** A map that nobody else reads. */
  owned(): OrderedBytes {
    if (!this.#isShared) return this
    const copy = new OrderedBytes(this.#chunks)
    copy.#size = this.#size
    copy.#bytes = this.#bytes
    return copy
  }

  /** What is from `from` on and before `to`. */
  *walk(from: Uint8Array, to: Uint8Array, reverse: boolean): Generator<BytesPair> {
    const [first, end] = [textOf(from), textOf(to)]
    const chunks = this.#chunks.slice(this.#chunkOf(first), this.#chunkOf(end) + 1)
    for (const { keys, pairs } of reverse ? chunks.reverse() : chunks) {
      const inside = pairs.slice(lowerBound(keys, first), lowerBound(keys, end))
      yield* reverse ? inside.reverse() : inside
    }
  }

  /** Where the chunk is that `text` is in, or belongs into. */
  #chunkOf(text: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]!.keys[0]! <= text) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }

  #ownChunk(place: number): Chunk {
    const chunk = this.#chunks[place]!
    if (chunk.owner === this.#owner) return chunk
    const own = { owner: this.#owner, keys: [...chunk.keys], pairs: [...chunk.pairs] }
    this.#chunks[place] = own
    return own
  }
}

/** The next pairs of a walk, at most `count`; the caller's own copies. */
export function takePairs(walk: Iterator<BytesPair>, count: number): BytesPair[] {
  const found: BytesPair[] = []
  while (found.length < count) {
    const step = walk.next()
    if (step.done === true) break
    found.push({ key: step.value.key.slice(), value: step.value.value.slice() })
  }
  return found
}

function textOf(key: Uint8Array): string {
  return asBuffer(key).toString('latin1')
}

function lowerBound(order: readonly string[], text: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order[middle]! < text) low = middle + 1
    else high = middle
  }
  return low
}
