import { AssertionError } from '../assert.ts'
import { ClusterMetrics } from '../cluster-metrics.ts'
import { type Failpoints, NO_FAILPOINTS } from '../failpoints.ts'
import type { Logger } from '../logger.ts'
import type { RaftId, SnapshotMeta } from '../raft/types.ts'
import type { SnapshotSink } from '../state-machine.ts'
import { PeerFrameKind } from '../transport/peer-frame.ts'
import type { SnapshotAck, SnapshotChunk, SnapshotOffer } from './snapshot-frames.ts'

export interface SnapshotReceiverHost {
  readonly logger: Logger
  /** @default none */
  readonly failpoints?: Failpoints
  /** @default cells that nobody reads */
  readonly metrics?: ClusterMetrics
  /** Whether there is room for one more. If not, an offer waits to be repeated. */
  hasRoom(): boolean
  /** Nothing newer than what is applied here is worth taking. */
  worthTaking(offer: SnapshotOffer): boolean
  beginInstall(meta: SnapshotMeta): Promise<SnapshotSink>
  sendJson(to: RaftId, kind: PeerFrameKind, value: unknown): boolean
  /** All bytes are verified and synced beside the live state: the core decides. */
  onReceived(from: RaftId, offer: SnapshotOffer, sink: SnapshotSink): void
  /** An invariant broke: the process must end. */
  onFatal(error: Error): void
}

interface Incoming {
  readonly from: RaftId
  readonly offer: SnapshotOffer
  readonly sink: SnapshotSink
  /** Where the chunks that were taken in end, written or waiting to be. */
  acceptedBytes: number
  waitingChunks: number
}

/** One is written, one may wait: a peer that sends more does not heed the acknowledgements. */
const MAX_WAITING_CHUNKS = 2

/** The other end of `SnapshotSender`: one stream at a time, the newest offer wins. */
export class SnapshotReceiver {
  readonly #host: SnapshotReceiverHost
  readonly #failpoints: Failpoints
  readonly #metrics: ClusterMetrics
  #incoming: Incoming | null = null
  /** The newest that waits for its turn. */
  #offered: { readonly from: RaftId; readonly offer: SnapshotOffer } | null = null
  /** Work on the sink is done one piece after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor(host: SnapshotReceiverHost) {
    this.#host = host
    this.#failpoints = host.failpoints ?? NO_FAILPOINTS
    this.#metrics = host.metrics ?? new ClusterMetrics()
  }

  /** Answered at once for the stream under way, however long a write or the check at its end takes. */
  offered(from: RaftId, offer: SnapshotOffer): void {
    if (this.#incoming?.offer.id === offer.id) {
      this.#acknowledge(this.#incoming, 'more', this.#incoming.acceptedBytes)
      return
    }
    const waits = this.#offered !== null
    this.#offered = { from, offer }
    if (!waits) this.#enqueue(() => this.#begin())
  }

  chunk(chunk: SnapshotChunk): void {
    const incoming = this.#incoming
    if (incoming === null || incoming.offer.id !== chunk.id) return
    if (chunk.offset !== incoming.acceptedBytes) {
      this.#acknowledge(incoming, 'more', incoming.acceptedBytes)
      return
    }
    if (incoming.waitingChunks === MAX_WAITING_CHUNKS) return
    incoming.acceptedBytes += chunk.bytes.length
    incoming.waitingChunks += 1
    this.#enqueue(() => this.#write(incoming, chunk))
  }

  async close(): Promise<void> {
    await this.#work
    await this.#abort()
  }

  async #begin(): Promise<void> {
    const { from, offer } = this.#offered!
    this.#offered = null
    await this.#abort()
    if (!this.#host.hasRoom()) return
    if (!this.#host.worthTaking(offer)) {
      this.#reply(from, { id: offer.id, offset: 0, state: 'failed' })
      return
    }
    const sink = await this.#host.beginInstall(offer.meta)
    this.#incoming = { from, offer, sink, acceptedBytes: 0, waitingChunks: 0 }
    this.#failpoints.hit('snapshot.installBegun')
    this.#host.logger.info('snapshot.receive', { from, index: offer.meta.index })
    this.#acknowledge(this.#incoming, 'more')
  }

  async #write(incoming: Incoming, chunk: SnapshotChunk): Promise<void> {
    if (this.#incoming !== incoming) return
    await incoming.sink.write(chunk.bytes)
    incoming.waitingChunks -= 1
    const isFirst = chunk.offset === 0
    this.#failpoints.hit(isFirst ? 'snapshot.firstChunkTaken' : 'snapshot.chunkTaken')
    if (!chunk.last) {
      this.#acknowledge(incoming, 'more')
      return
    }
    await incoming.sink.finish()
    this.#failpoints.hit('snapshot.verified')
    this.#incoming = null
    this.#acknowledge(incoming, 'done')
    this.#host.onReceived(incoming.from, incoming.offer, incoming.sink)
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch(async (error: Error) => {
      // Damage of the stream and of the disk have errors of their own.
      if (error instanceof AssertionError) {
        this.#host.onFatal(error)
        return
      }
      this.#metrics.snapshots.receiveFailed.add()
      this.#host.logger.error('snapshot.failed', { message: error.message })
      const incoming = this.#incoming
      await this.#abort()
      if (incoming !== null) this.#acknowledge(incoming, 'failed')
    })
  }

  async #abort(): Promise<void> {
    const incoming = this.#incoming
    this.#incoming = null
    await incoming?.sink.abort()
  }

  #acknowledge(
    { from, offer, sink }: Incoming,
    state: SnapshotAck['state'],
    offset = sink.offset,
  ): void {
    this.#reply(from, { id: offer.id, offset, state })
  }

  #reply(to: RaftId, ack: SnapshotAck): void {
    this.#host.sendJson(to, PeerFrameKind.snapshotAck, ack)
  }
}
