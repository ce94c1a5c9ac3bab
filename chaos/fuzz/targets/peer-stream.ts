import {
  MAX_FRAME_BYTES,
  MAX_HELLO_BYTES,
  PeerFrameReader,
  PeerProtocolError,
} from '../../../cluster/transport/peer-frame.ts'
import { Prng } from '../../prng.ts'
import type { Captured } from '../capture.ts'
import { joined, mutate } from '../mutate.ts'
import { peerFrame } from '../peer-bytes.ts'
import { refusalOr, type Target, violated } from '../target.ts'

/** The bytes of a connection between two nodes, before anything is known of what they say. */
export class PeerStream implements Target {
  /** A frame is announced before it comes; nobody announces much before he said who he is. */
  readonly allowedBytes: number
  readonly #maxBytes: number
  readonly #streams: readonly Uint8Array[]

  constructor({ frameBodies }: Captured, introduced: boolean) {
    this.#maxBytes = introduced ? MAX_FRAME_BYTES : MAX_HELLO_BYTES
    this.allowedBytes = this.#maxBytes * 4 + (1 << 20)
    const frames = [...frameBodies].flatMap(([kind, bodies]) =>
      bodies
        .slice(0, 20)
        .filter(({ length }) => length < 4_096)
        .map((body) => peerFrame(kind, body)),
    )
    this.#streams = frames.map((frame, at) =>
      joined(frame, ...frames.slice(at + 1, at + 1 + (at % 3))),
    )
  }

  make(random: Prng): Uint8Array {
    if (random.chance(0.05)) return random.bytes(random.below(64))
    const bytes = random.pick(this.#streams)
    return random.chance(0.02) ? bytes : mutate(random, bytes, this.#streams)
  }

  judge(bytes: Uint8Array): string | null {
    const whole = this.#read(bytes, [bytes.length])
    const pieces = new Prng(bytes.length)
    const parts = Array.from({ length: 4 }, () => pieces.below(bytes.length + 1))
    const split = this.#read(bytes, parts.sort((a, b) => a - b).concat(bytes.length))
    if (whole.refusal !== split.refusal)
      violated(`${whole.refusal} became ${split.refusal} in pieces`)
    if (Buffer.compare(whole.taken, split.taken) !== 0) violated('pieces gave other frames')
    // A frame that is taken has stood there, byte for byte: nothing is made up, moved or skipped.
    if (Buffer.compare(whole.taken, bytes.subarray(0, whole.taken.length)) !== 0) {
      violated('a frame was taken that nobody sent')
    }
    return whole.refusal
  }

  #read(bytes: Uint8Array, ends: readonly number[]): { taken: Buffer; refusal: string | null } {
    const frames: Uint8Array[] = []
    const take = (kind: number, body: Uint8Array): void => {
      frames.push(peerFrame(kind, body))
    }
    const reader = new PeerFrameReader(take, () => this.#maxBytes)
    const result = refusalOr([PeerProtocolError], () => {
      let from = 0
      for (const end of ends) {
        reader.push(bytes.subarray(from, end))
        from = end
      }
    })
    return { taken: Buffer.concat(frames), refusal: 'refusal' in result ? result.refusal : null }
  }
}
