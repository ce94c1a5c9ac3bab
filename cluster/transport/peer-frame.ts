import { asBuffer } from '../as-buffer.ts'
import { checksumOf } from '../checksum.ts'

/**
 * What travels between two nodes, on a byte stream:
 *
 *     u32 length of what follows   u32 crc32c of kind and body   u8 kind   body
 *
 * Integers are little-endian. TCP's own checksum misses damage that a log must never take in, so
 * every frame carries one; a frame that fails it ends the connection.
 */
export const PeerFrameKind = {
  /** JSON `PeerHello`, first in both directions. */
  hello: 1,
  /** JSON `Refusal`: the connection is refused and ends. */
  refused: 2,
  ping: 3,
  pong: 4,
  /** A Raft message (`message-codec.ts`). */
  raft: 5,
  /** Commands a gateway forwards to the leader: u32 length and bytes, repeated. */
  forward: 6,
  /** JSON `[{origin, request, code}, …]`: the leader did not take these. */
  forwardRefused: 7,
  /** JSON `Formation`: an empty initial member writes it as its first record. */
  form: 8,
  /** JSON `{clusterId}`: the sender has its first record. */
  formed: 9,
  /** JSON `SnapshotOffer`; chunks and their acknowledgements follow. */
  snapshotOffer: 10,
  snapshotChunk: 11,
  snapshotAck: 12,
  /** No body: the sender lost its state and asks the leader for a snapshot. */
  snapshotRequest: 13,
  /** JSON `{clusterId}`: that cluster knows nothing of the receiver's empty directory. */
  stranger: 14,
  /** JSON `Formation`: the receiver is a learner of that cluster now. */
  join: 15,
  /** JSON `{index, hash}`: the sender's state hash at an applied index. */
  stateHash: 16,
  /** JSON `{index}`: by that index the receiver was removed. Comes where answers come. */
  removed: 17,
  /** JSON `{term, version, nodes}`: the leader says which nodes order signals. */
  routes: 18,
  /** A signal on its way to the node that orders it. */
  signal: 19,
  /** The same with its place in the order, for every node. */
  stampedSignal: 20,
  /** JSON `SessionReport`: which devices that want to be called have a session at the sender. */
  sessions: 21,
  /** JSON `{origin, id, operation, parameters, waitMs}`: an operator's call, for the receiver to do. */
  operatorCall: 22,
  /** JSON `{origin, id, outcome, body}`: what became of it. */
  operatorAnswer: 23,
  /** JSON `DiskReport`: how much room the sender's disk has (rule K9). */
  disk: 26,
  /** JSON `Standing`: whether the sender drains, and whether it has caught up. */
  standing: 24,
} as const
export type PeerFrameKind = (typeof PeerFrameKind)[keyof typeof PeerFrameKind]

/** Before the body. */
export const FRAME_HEADER_BYTES = 9
/** One append message with its entries, or one snapshot chunk, and room to spare. */
export const MAX_FRAME_BYTES = 16 << 20
/** Before it is known who speaks, nobody gets more memory than an introduction takes. */
export const MAX_HELLO_BYTES = 4 << 10

/**
 * Bytes from a peer that this version would never have sent. What may be trusted is unknown from
 * here on, so the connection ends; the node goes on.
 */
export class PeerProtocolError extends Error {
  override readonly name = 'PeerProtocolError'
}

/** A record of a handshake and a version of TLS (RFC 8446 §5.1), where the length of a frame should be. */
const TLS_BEGINS = 0x01_03_16
const SPEAKS_TLS =
  'a peer speaks TLS, and this node does not: give all nodes the same --cluster-secret-file, or certificates for peers'

/**
 * Cuts a byte stream into frames. Bodies may be views into the bytes given to `push`, so a consumer
 * that keeps one keeps its buffer.
 */
export class PeerFrameReader {
  readonly #onFrame: (kind: number, body: Uint8Array) => void
  readonly #maxBytes: () => number
  readonly #header = Buffer.alloc(4)
  #headerBytes = 0
  #partial: Buffer | null = null
  #partialBytes = 0

  /** `maxBytes` is asked at the beginning of each frame. */
  constructor(
    onFrame: (kind: number, body: Uint8Array) => void,
    maxBytes: () => number = () => MAX_FRAME_BYTES,
  ) {
    this.#onFrame = onFrame
    this.#maxBytes = maxBytes
  }

  /**
   * Throws `PeerProtocolError` on damage, and whatever `onFrame` throws: nothing more may then be
   * given to this reader.
   */
  push(bytes: Uint8Array): void {
    const data = asBuffer(bytes)
    let offset = 0
    while (offset < data.length) {
      if (this.#partial !== null) {
        offset += this.#fill(data, offset)
        continue
      }
      if (this.#headerBytes > 0 || data.length - offset < 4) {
        this.#header[this.#headerBytes++] = data[offset++]!
        if (this.#headerBytes < 4) continue
        this.#headerBytes = 0
        this.#start(this.#header.readUInt32LE(0))
        continue
      }
      const length = data.readUInt32LE(offset)
      offset += 4
      if (length <= data.length - offset) {
        this.#checkLength(length)
        this.#deliver(data, offset, offset + length)
        offset += length
      } else {
        this.#start(length)
      }
    }
  }

  #start(length: number): void {
    this.#checkLength(length)
    this.#partial = Buffer.allocUnsafeSlow(length)
    this.#partialBytes = 0
  }

  #fill(data: Buffer, offset: number): number {
    const partial = this.#partial!
    const count = Math.min(partial.length - this.#partialBytes, data.length - offset)
    data.copy(partial, this.#partialBytes, offset, offset + count)
    this.#partialBytes += count
    if (this.#partialBytes === partial.length) {
      this.#partial = null
      this.#deliver(partial, 0, partial.length)
    }
    return count
  }

  #deliver(data: Buffer, start: number, end: number): void {
    if (checksumOf(data, start + 4, end) !== data.readUInt32LE(start)) {
      throw new PeerProtocolError('a frame from a peer fails its checksum')
    }
    this.#onFrame(data[start + 4]!, data.subarray(start + 5, end))
  }

  #checkLength(length: number): void {
    if (length < 5 || length > this.#maxBytes()) {
      if ((length & 0xff_ff_ff) === TLS_BEGINS) throw new PeerProtocolError(SPEAKS_TLS)
      throw new PeerProtocolError(`a peer announced a frame of ${length} bytes`)
    }
  }
}
