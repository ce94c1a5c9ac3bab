export interface BytesPair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/**
 * An ordered map from bytes to bytes. Keys are held as one-byte-per-unit strings, which hash and
 * order exactly as the bytes do; the order is worked out when it is first asked for. `share` is free:
 * the next writer copies.
 */
export class OrderedBytes {
  #map: Map<string, BytesPair>
  #order: string[] | null = null
  #isShared = false
  bytes = 0

  constructor(map = new Map<string, BytesPair>()) {
    this.#map = map
  }

  get size(): number {
    return this.#map.size
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#map.get(textOf(key))?.value
  }

  set(key: Uint8Array, value: Uint8Array): void {
    const text = textOf(key)
    const old = this.#map.get(text)
    if (old === undefined) this.#order = null
    this.bytes +=
      key.length + value.length - (old === undefined ? 0 : key.length + old.value.length)
    this.#map.set(text, { key, value })
  }

  delete(key: Uint8Array): void {
    const text = textOf(key)
    const old = this.#map.get(text)
    if (old === undefined) return
    this.bytes -= key.length + old.value.length
    this.#map.delete(text)
    this.#order = null
  }

  /** This very map, to be read only from now on: a writer goes on with `owned()`. */
  share(): OrderedBytes {
    this.#isShared = true
    return this
  }

  /** A map that nobody else reads. */
  owned(): OrderedBytes {
    if (!this.#isShared) return this
    const copy = new OrderedBytes(new Map(this.#map))
    copy.#order = this.#order
    copy.bytes = this.bytes
    return copy
  }

  *walk(from: Uint8Array, to: Uint8Array, reverse: boolean): Generator<BytesPair> {
    this.#order ??= [...this.#map.keys()].sort()
    const order = this.#order
    const first = lowerBound(order, textOf(from))
    const end = lowerBound(order, textOf(to))
    for (let i = 0; i < end - first; i++) {
      const pair = this.#map.get(order[reverse ? end - 1 - i : first + i]!)
      if (pair !== undefined) yield pair
    }
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
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
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
