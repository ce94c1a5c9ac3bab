import { Prng } from '../prng.ts'

/** A file, or one of the values of a store: what edits are applied to. `null` is one that is gone. */
export interface Editable {
  bytes: Buffer | null
  /** Offsets at which something begins: half of all edits are made within 64 bytes of one. */
  readonly marks: readonly number[]
}

/** Each edit takes so many bytes of a script: u8 what, u8 file, u32 where, u16 how long, u32 a number. */
const EDIT_BYTES = 12
const NEAR_A_MARK = 0x80

const EDITS: readonly ((edit: Edit) => Buffer | null)[] = [
  ({ bytes, at, number }) => xored(bytes, at, 1 << (number % 8)),
  ({ bytes, at, number }) => xored(bytes, at, 1 << (number % 8)),
  ({ bytes, at, number }) => xored(bytes, at, 1 + (number % 255)),
  ({ bytes, at, end, number }) => filled(bytes, at, Buffer.from(new Prng(number).bytes(end - at))),
  ({ bytes, at, end }) => filled(bytes, at, Buffer.alloc(end - at)),
  ({ bytes, at, end, other, number }) => {
    const from = number % (other.length + 1)
    return filled(bytes, at, other.subarray(from, from + end - at))
  },
  ({ bytes, at }) => bytes.subarray(0, at),
  ({ bytes, at, end, number }) =>
    Buffer.concat([
      bytes.subarray(0, at),
      Buffer.alloc((end - at) % 64, number),
      bytes.subarray(at),
    ]),
  ({ bytes, at, end }) =>
    Buffer.concat([bytes.subarray(0, at), bytes.subarray(end), Buffer.alloc(end - at)]),
  ({ bytes, at, end }) => {
    const middle = (at + end) >> 1
    const parts = [bytes.subarray(middle, end), bytes.subarray(at, middle)]
    return Buffer.concat([bytes.subarray(0, at), ...parts, bytes.subarray(end)])
  },
  ({ other }) => Buffer.from(other),
  ({ number }) => (number % 3 === 0 ? null : Buffer.alloc(0)),
]

interface Edit {
  readonly bytes: Buffer
  readonly at: number
  readonly end: number
  readonly number: number
  readonly other: Buffer
}

/** A few edits. Any bytes are a script, so that a script can be cut down like any other input. */
export function makeScript(random: Prng): Uint8Array {
  const edits = 1 + (random.chance(0.3) ? random.below(6) : 0)
  const script = Buffer.alloc(edits * EDIT_BYTES)
  for (let at = 0; at < script.length; at += EDIT_BYTES) {
    // Whole files are exchanged or lost rarely: that is the end of what can be found.
    const what = random.below(random.chance(0.1) ? EDITS.length : EDITS.length - 2)
    script[at] = what | (random.chance(0.5) ? NEAR_A_MARK : 0)
    script[at + 1] = random.below(256)
    script.writeUInt32LE(random.uint32(), at + 2)
    script.writeUInt16LE(random.below(random.chance(0.5) ? 64 : 2_048), at + 6)
    script.writeUInt32LE(random.uint32(), at + 8)
  }
  return script
}

/** Changes the given files, which are the caller's own copies. */
export function applyScript(script: Uint8Array, files: readonly Editable[]): void {
  const view = Buffer.from(script)
  for (let at = 0; at + EDIT_BYTES <= view.length; at += EDIT_BYTES) {
    const file = files[view[at + 1]! % files.length]!
    const { bytes } = file
    if (bytes === null || bytes.length === 0) continue
    const where = view.readUInt32LE(at + 2)
    const number = view.readUInt32LE(at + 8)
    const what = view[at]!
    const isNear = (what & NEAR_A_MARK) !== 0 && file.marks.length > 0
    const offset = isNear ? file.marks[(where >>> 8) % file.marks.length]! + (where & 63) : where
    const from = offset % bytes.length
    const end = Math.min(bytes.length, from + 1 + view.readUInt16LE(at + 6))
    const other = files[(number >>> 16) % files.length]!.bytes ?? Buffer.alloc(0)
    const edit = { bytes, at: from, end, number, other }
    file.bytes = EDITS[(what & ~NEAR_A_MARK) % EDITS.length]!(edit)
  }
}

function xored(bytes: Buffer, at: number, mask: number): Buffer {
  bytes[at]! ^= mask
  return bytes
}

function filled(bytes: Buffer, at: number, part: Buffer): Buffer {
  part.copy(bytes, at)
  return bytes
}
