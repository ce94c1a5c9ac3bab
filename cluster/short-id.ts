/** Ids of eight bytes that are kept as text; a cluster has a handful. */
const KEPT = 32

interface Known {
  readonly high: number
  readonly low: number
  readonly id: string
}

/** The newest ones; those that are asked for come to stand near the front. */
const known: Known[] = []
const NEAR = 8
let next = 0

/** The eight bytes at `at` as sixteen digits: for every message the same few, so they are kept. */
export function readShortId(buffer: Buffer, at: number): string {
  const high = buffer.readInt32LE(at)
  const low = buffer.readInt32LE(at + 4)
  for (let place = 0; place < known.length; place++) {
    const one = known[place]!
    if (one.low !== low || one.high !== high) continue
    if (place >= NEAR) moveUp(place)
    return one.id
  }
  return keep({ high, low, id: buffer.toString('hex', at, at + 8) })
}

/** Writes sixteen digits as eight bytes; false if `id` is something else. */
export function writeShortId(buffer: Buffer, at: number, id: string): boolean {
  for (let place = 0; place < known.length; place++) {
    const one = known[place]!
    if (one.id !== id) continue
    if (place >= NEAR) moveUp(place)
    buffer.writeInt32LE(one.high, at)
    buffer.writeInt32LE(one.low, at + 4)
    return true
  }
  if (id.length !== 16 || buffer.write(id, at, 8, 'hex') !== 8) return false
  readShortId(buffer, at)
  return true
}

function moveUp(place: number): void {
  const above = place >> 1
  const one = known[place]!
  known[place] = known[above]!
  known[above] = one
}

function keep(one: Known): string {
  known[next] = one
  next = (next + 1) % KEPT
  return one.id
}
