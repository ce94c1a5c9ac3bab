import { ClusterMetrics } from '../cluster-metrics.ts'
import { type Failpoints, NO_FAILPOINTS } from '../failpoints.ts'
import type { Clock, Random, Timer } from '../ports.ts'
import type { Logger } from '../logger.ts'
import type { RaftId } from '../raft/types.ts'
import type { SnapshotSource } from '../state-machine.ts'
import { PeerFrameKind } from '../transport/peer-frame.ts'
import { encodeChunk, type SnapshotAck, type SnapshotOffer } from './snapshot-frames.ts'

const CHUNK_BYTES = 1 << 20
/** No acknowledgement for this long, link broken or not: the stream is given up. */
const PATIENCE_MS = 30_000
/** A peer that has all of it reads it back before it says so, at least this fast. */
const CHECKED_BYTES_PER_MS = 2_000
/** After a broken link or a lost frame the offer is repeated this often. */
const OFFER_EVERY_MS = 1_000

export interface SnapshotSenderHost {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** @default none */
  readonly failpoints?: Failpoints
  /** @default cells that nobody reads */
  readonly metrics?: ClusterMetrics
  /** Bytes of a chunk. @default 1 MiB */
  readonly chunkBytes?: number
  /** The term that this node leads; `null` if it does not. */
  leadingTerm(): number | null
  openSnapshot(): Promise<SnapshotSource>
  send(to: RaftId, frame: Uint8Array): boolean
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  /** `index` is that of the snapshot, 0 if there was none to stream. */
  onFinished(to: RaftId, ok: boolean, index: number): void
}

interface Stream {
  readonly id: number
  readonly to: RaftId
  readonly source: SnapshotSource
  readonly beganMs: number
  /** When the peer was last heard of. */
  heardMs: number
  /** When it last took anything. */
  progressMs: number
  /** Where the bytes that were handed to the link end: nobody can have taken more. */
  handedBytes: number
  /** The newest chunk that was handed to the link: where it ends, when that was. */
  sentEnd: number
  sentMs: number
  /** It was the last one: the peer is to check what it has. */
  sentLast: boolean
  reading: boolean
  /** Acknowledged by the receiver. */
  takenBytes: number
  timer: Timer
}

/**
 * Streams pinned snapshots to followers whose log starts after ours was compacted (rule K6): offer,
 * then one chunk per acknowledgement, resumed at the receiver's offset after a broken link. Never
 * holds up the log or apply.
 */
export class SnapshotSender {
  readonly #host: SnapshotSenderHost
  readonly #failpoints: Failpoints
  readonly #metrics: ClusterMetrics
  readonly #streams = new Map<RaftId, Stream>()
  readonly #opening = new Set<RaftId>()
  /** Taken by a peer that may still be installing them. */
  readonly #taken = new Map<RaftId, { readonly index: number; readonly atMs: number }>()
  #closed = false

  constructor(host: SnapshotSenderHost) {
    this.#host = host
    this.#failpoints = host.failpoints ?? NO_FAILPOINTS
    this.#metrics = host.metrics ?? new ClusterMetrics()
  }

  /** Streams under way or beginning, for status and metrics. */
  get active(): number {
    return this.#streams.size + this.#opening.size
  }

  /** Acknowledged of the snapshot on its way to a peer; `null` if there is none. */
  takenBytes(to: RaftId): number | null {
    return this.#streams.get(to)?.takenBytes ?? null
  }

  /**
   * The log behind the oldest snapshot on its way must stay (rule K3), also while a peer that has
   * taken it all installs it; `Infinity` if there is none.
   */
  get pinnedIndex(): number {
    const since = this.#host.clock.monotonicMs() - PATIENCE_MS
    let index = Infinity
    for (const { source } of this.#streams.values()) index = Math.min(index, source.meta.index)
    for (const [to, taken] of this.#taken) {
      if (taken.atMs < since) this.#taken.delete(to)
      else index = Math.min(index, taken.index)
    }
    return index
  }

  start(to: RaftId): void {
    if (this.#closed || this.#streams.has(to) || this.#opening.has(to)) return
    this.#opening.add(to)
    this.#host.openSnapshot().then(
      (source) => {
        this.#opening.delete(to)
        if (this.#closed) this.#release(source)
        else this.#begin(to, source)
      },
      (error: Error) => {
        this.#opening.delete(to)
        this.#metrics.snapshots.sendFailed.add()
        this.#host.logger.warn('snapshot.unavailable', { to, message: error.message })
        this.#host.onFinished(to, false, 0)
      },
    )
  }

  acknowledged(from: RaftId, ack: SnapshotAck): void {
    const stream = this.#streams.get(from)
    if (stream === undefined || stream.id !== ack.id) return
    if (ack.offset > stream.handedBytes) {
      const message = `${from} says that it took ${ack.offset} bytes of a snapshot, and was sent ${stream.handedBytes}: it is begun anew`
      this.#host.logger.warn('snapshot.acknowledged', { to: from, message })
      this.#end(stream, false)
      return
    }
    const now = this.#host.clock.monotonicMs()
    stream.heardMs = now
    if (ack.offset > stream.takenBytes) stream.progressMs = now
    if (ack.state !== 'more') {
      if (ack.state === 'done') stream.takenBytes = ack.offset
      this.#end(stream, ack.state === 'done')
      return
    }
    stream.takenBytes = ack.offset
    if (stream.reading) return
    const wantsNext = ack.offset === stream.sentEnd && !stream.sentLast
    // What is missing may still be on its way, and be taken: sent again at once, every chunk of
    // the rest would go out twice.
    if (wantsNext || now - stream.sentMs >= OFFER_EVERY_MS) this.#sendChunk(stream, ack.offset)
  }

  close(): void {
    this.#closed = true
    for (const stream of this.#streams.values()) this.#end(stream, false)
  }

  #begin(to: RaftId, source: SnapshotSource): void {
    const { clock, random, logger } = this.#host
    const stream: Stream = {
      id: random.uint32(),
      to,
      source,
      beganMs: clock.monotonicMs(),
      heardMs: clock.monotonicMs(),
      progressMs: clock.monotonicMs(),
      handedBytes: 0,
      sentEnd: 0,
      sentMs: clock.monotonicMs(),
      sentLast: false,
      reading: false,
      takenBytes: 0,
      timer: clock.after(OFFER_EVERY_MS, () => this.#watch(stream)),
    }
    this.#taken.delete(to)
    this.#streams.set(to, stream)
    logger.info('snapshot.send', { to, index: source.meta.index })
    this.#offer(stream)
    this.#failpoints.hit('snapshot.offered')
  }

  #offer(stream: Stream): void {
    const term = this.#host.leadingTerm()
    if (term === null) {
      // In the name of a term that another leads, it would make the peer follow the wrong one.
      this.#end(stream, false)
      return
    }
    const offer: SnapshotOffer = { id: stream.id, term, meta: stream.source.meta }
    this.#host.sendJson(stream.to, PeerFrameKind.snapshotOffer, offer)
  }

  #sendChunk(stream: Stream, offset: number): void {
    if (stream.reading) return
    stream.reading = true
    stream.source.read(offset, this.#host.chunkBytes ?? CHUNK_BYTES).then(
      ({ bytes, last }) => {
        stream.reading = false
        if (this.#streams.get(stream.to) !== stream) return
        stream.sentEnd = offset + bytes.length
        stream.sentMs = this.#host.clock.monotonicMs()
        stream.sentLast = last
        stream.handedBytes = Math.max(stream.handedBytes, stream.sentEnd)
        this.#metrics.snapshotBytes.add(bytes.length)
        this.#host.send(stream.to, encodeChunk({ id: stream.id, offset, last, bytes }))
        this.#failpoints.hit(last ? 'snapshot.lastChunkSent' : 'snapshot.chunkSent')
      },
      (error: Error) => {
        this.#host.logger.error('snapshot.read', { message: error.message })
        this.#end(stream, false)
      },
    )
  }

  #watch(stream: Stream): void {
    if (this.#streams.get(stream.to) !== stream) return
    const now = this.#host.clock.monotonicMs()
    const checkMs = stream.sentLast ? stream.sentEnd / CHECKED_BYTES_PER_MS : 0
    const idleMs = now - stream.heardMs
    if (idleMs > PATIENCE_MS || now - stream.progressMs > PATIENCE_MS + checkMs) {
      this.#end(stream, false)
      return
    }
    if (idleMs > OFFER_EVERY_MS) this.#offer(stream)
    if (this.#streams.get(stream.to) !== stream) return
    stream.timer = this.#host.clock.after(OFFER_EVERY_MS, () => this.#watch(stream))
  }

  #end(stream: Stream, ok: boolean): void {
    if (this.#streams.get(stream.to) !== stream) return
    this.#streams.delete(stream.to)
    stream.timer.cancel()
    const { to, source, takenBytes: bytes } = stream
    this.#host.logger.info('snapshot.sent', { to, index: source.meta.index, ok, bytes })
    this.#metrics.snapshots[ok ? 'sent' : 'sendFailed'].add()
    if (ok) {
      const atMs = this.#host.clock.monotonicMs()
      this.#metrics.snapshotDuration.observe((atMs - stream.beganMs) / 1_000)
      this.#taken.set(stream.to, { index: stream.source.meta.index, atMs })
    }
    this.#release(stream.source)
    this.#host.onFinished(stream.to, ok, stream.source.meta.index)
  }

  #release(source: SnapshotSource): void {
    source.close().catch((error: Error) => {
      this.#host.logger.error('snapshot.close', { message: error.message })
    })
  }
}
