/** Ids of eight bytes that are kept as text; a cluster has a handful. */
const KEPT = 32

interface Known {
  readonly high: number
  readonly low: number
  readonly id: string
}

/** The newest ones, in no order. */
const known: Known[] = []
let next = 0

/** The eight bytes at `at` as sixteen digits: for every message the same few, so they are kept. */
export function readShortId(buffer: Buffer, at: number): string {
  const high = buffer.readInt32LE(at)
  const low = buffer.readInt32LE(at + 4)
  for (const one of known) if (one.low === low && one.high === high) return one.id
  return keep({ high, low, id: buffer.toString('hex', at, at + 8) })
}

/** Writes sixteen digits as eight bytes; false if `id` is something else. */
export function writeShortId(buffer: Buffer, at: number, id: string): boolean {
  for (const one of known) {
    if (one.id !== id) continue
    buffer.writeInt32LE(one.high, at)
    buffer.writeInt32LE(one.low, at + 4)
    return true
  }
  if (id.length !== 16 || buffer.write(id, at, 8, 'hex') !== 8) return false
  readShortId(buffer, at)
  return true
}

function keep(one: Known): string {
  known[next] = one
  next = (next + 1) % KEPT
  return one.id
}
