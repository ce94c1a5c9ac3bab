import { crc32c } from '@node-rs/crc32'
import {
  encodeSnapshot,
  SnapshotDamagedError,
  SnapshotDecoder,
} from '../../../node/state-machine/snapshot-codec.ts'
import type { Pair } from '../../../node/store/store.ts'
import { Prng } from '../../prng.ts'
import { mutate } from '../mutate.ts'
import { refusalOr, type Target, violated } from '../target.ts'
import { storedPairs } from './store-values.ts'

const CUT = { index: 600, term: 1 }

/** A snapshot as it comes from a peer: changed on the way, or written wrong under right checksums. */
export class SnapshotStream implements Target {
  readonly allowedBytes = 8 << 20
  readonly #frames: readonly Uint8Array[]
  readonly #whole: Buffer
  readonly #pairs: string

  private constructor(frames: readonly Uint8Array[], pairs: readonly Pair[]) {
    this.#frames = frames
    this.#pairs = textOf(pairs)
    this.#whole = Buffer.concat(frames)
  }

  static async open(): Promise<SnapshotStream> {
    const pairs = (await storedPairs()).slice(0, 60)
    const frames: Uint8Array[] = []
    for await (const frame of encodeSnapshot(CUT, iterate(pairs))) frames.push(frame)
    return new SnapshotStream(frames, pairs)
  }

  /** A byte that says whether checksums of frames are set right again, then the stream. */
  make(random: Prng): Uint8Array {
    if (random.chance(0.5)) {
      return Buffer.concat([Uint8Array.of(0), mutate(random, this.#whole, this.#frames)])
    }
    const at = random.below(this.#frames.length)
    const payloads = this.#frames.map((frame) => frame.subarray(8))
    const changed = this.#frames.map((frame, i) =>
      i === at ? framed(mutate(random, payloads[i]!, payloads)) : frame,
    )
    return Buffer.concat([Uint8Array.of(1), ...changed])
  }

  judge(bytes: Uint8Array): string | null {
    const stream = bytes.subarray(1)
    const decoder = new SnapshotDecoder(CUT)
    const taken: Pair[] = []
    const pieces = new Prng(stream.length)
    const result = refusalOr([SnapshotDamagedError], () => {
      for (let at = 0; at < stream.length;) {
        const end = Math.min(stream.length, at + 1 + pieces.below(8_000))
        taken.push(...decoder.push(stream.subarray(at, end)))
        at = end
      }
    })
    if ('refusal' in result) return result.refusal
    if (!decoder.complete) return 'it ended too early'
    if (textOf(taken) !== this.#pairs) violated('a changed snapshot was taken for whole')
    return null
  }
}

function textOf(pairs: readonly Pair[]): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  return pairs.map(({ key, value }) => `${hex(key)}=${hex(value)}`).join()
}

function framed(payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(8 + payload.length)
  frame.writeUInt32LE(payload.length, 0)
  frame.writeUInt32LE(crc32c(payload), 4)
  frame.set(payload, 8)
  return frame
}

async function* iterate(pairs: readonly Pair[]): AsyncGenerator<Pair> {
  yield* pairs
}
