import { assert } from '../assert.ts'
import type { FailpointName, Failpoints } from '../failpoints.ts'
import type { Clock, Timer } from '../ports.ts'
import { ByteWriter } from './byte-writer.ts'
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, frameBytes, sealFrame } from './frame-codec.ts'
import { encodeHead, type Head } from './record-codec.ts'
import { NoRoomError } from './no-room.ts'
import type { Segment } from './segment-file.ts'
import type { SpareMaker } from './spare-maker.ts'

/** One batch to write. `before` is what was in force when it was asked for. */
export interface BatchJob {
  readonly before: Omit<Head, 'segment'>
  readonly encode: (writer: ByteWriter) => void
  /** The frame's place is known, its bytes are about to be written. */
  readonly placed: (segment: Segment, offset: number, bytes: number) => void
  readonly done: (error: Error | null) => void
  /** Where a drill may end the process with half of it written. */
  readonly half: FailpointName
}

/** An append, a seal, a formation and a compaction may wait at one time, never more. */
const MAX_JOBS = 4

/**
 * Writes batches one at a time, in order: one frame, one write, one fdatasync (rule K2). Never two
 * in flight, so that a valid batch proves the one before it. Moves on to the next segment, made
 * ahead of time, when one is full; its first frame carries the batch and what must be restated.
 */
export class BatchWriter {
  readonly #clock: Clock
  readonly #failpoints: Failpoints
  readonly #spares: SpareMaker
  readonly #sealAfterMs: number
  readonly #salt: bigint
  readonly #sealJob: () => BatchJob
  readonly #segments: Segment[]
  readonly #writer = new ByteWriter()
  readonly #jobs: BatchJob[] = []
  #batch: number
  #chain: number
  #writing = false
  #sealed = false
  #sealTimer: Timer | null = null
  #spare: Pick<Segment, 'file' | 'number' | 'madeBytes' | 'path'> | null = null
  #preparing: Promise<void> | null = null
  #error: Error | null = null
  #idle: (() => void) | null = null

  constructor(options: {
    clock: Clock
    failpoints: Failpoints
    spares: SpareMaker
    sealAfterMs: number
    salt: bigint
    /** The last one is written to; the writer adds to it. */
    segments: Segment[]
    /** Number and crc of the newest batch. */
    batch: number
    chain: number
    sealJob: () => BatchJob
  }) {
    this.#clock = options.clock
    this.#failpoints = options.failpoints
    this.#spares = options.spares
    this.#sealAfterMs = options.sealAfterMs
    this.#salt = options.salt
    this.#segments = options.segments
    this.#batch = options.batch
    this.#chain = options.chain
    this.#sealJob = options.sealJob
    this.#armSeal()
  }

  /** Set by the first failed write, for good. */
  get error(): Error | null {
    return this.#error
  }

  submit(job: BatchJob): void {
    if (this.#error !== null) return job.done(this.#error)
    assert(this.#jobs.length < MAX_JOBS, 'the log has too many batches waiting')
    this.#sealTimer?.cancel()
    this.#sealTimer = null
    this.#jobs.push(job)
    this.#next()
  }

  /** Nothing is written after this, and nothing waits any more. */
  fail(error: Error): void {
    this.#error ??= error
    this.#sealTimer?.cancel()
    this.#sealTimer = null
    for (const job of this.#jobs.splice(0)) job.done(this.#error)
    this.#settle()
  }

  /** Bytes of the segment that was made ahead of time. */
  get spareBytes(): number {
    return this.#spare?.madeBytes ?? 0
  }

  /** Bytes that frames may still take without a further segment. */
  get room(): number {
    const { madeBytes, usedBytes } = this.#segments.at(-1)!
    return Math.max(0, madeBytes - usedBytes) + this.spareBytes
  }

  /** Writes what waits, then a seal, so that the next start finds every batch proven. */
  async close(): Promise<void> {
    if (this.#error === null && !this.#sealed) this.submit(this.#sealJob())
    if (this.#writing || this.#jobs.length > 0) {
      await new Promise<void>((resolve) => (this.#idle = resolve))
    }
    this.#sealTimer?.cancel()
    await this.#preparing
    await this.#spare?.file.close()
    this.#error ??= new Error('the log was closed')
  }

  #next(): void {
    if (this.#writing || this.#error !== null) return
    const job = this.#jobs[0]
    if (job === undefined) return this.#settle()
    const writer = this.#writer
    writer.reset(FRAME_HEADER_BYTES)
    job.encode(writer)
    let segment = this.#segments.at(-1)!
    const end = segment.usedBytes + frameBytes(writer.length - FRAME_HEADER_BYTES)
    if (end > segment.madeBytes) {
      this.#prepareSpare()
      if (this.#spare !== null) segment = this.#rotate(job)
      // A slow disk may make a segment larger, but not without end: then the batch waits.
      // With a disk that is nearly full it would only grow into an error.
      else if (this.#spares.savesSpace || end > this.#spares.segmentBytes * 2) return
    }
    this.#jobs.shift()
    this.#write(segment, job)
  }

  #write(segment: Segment, job: BatchJob): void {
    const writer = this.#writer
    const bytes = frameBytes(writer.length - FRAME_HEADER_BYTES)
    assert(bytes <= MAX_FRAME_BYTES, `a batch of ${bytes} bytes`)
    writer.ensure(bytes - writer.length)
    const offset = segment.usedBytes
    const batch = this.#batch + 1
    const crc = sealFrame(writer.buffer, writer.length, {
      batch,
      salt: this.#salt,
      chain: this.#chain,
    })
    this.#writing = true
    this.#batch = batch
    this.#chain = crc
    this.#sealed = writer.length === FRAME_HEADER_BYTES
    job.placed(segment, offset, bytes)
    segment.usedBytes += bytes
    segment.fileBytes = Math.max(segment.fileBytes, segment.usedBytes)
    this.#failpoints.hit('log.batchPlaced')
    const frame = writer.buffer.subarray(0, bytes)
    const sync = () => {
      segment.file.writeAndSync(frame, offset, (error) => this.#written(segment, job, error))
    }
    const drill = this.#drill(job.half) ?? this.#drill('log.batchWritten')
    if (drill === null) return sync()
    const unsynced = drill === job.half ? frame.subarray(0, bytes >> 1) : frame
    segment.file.write(unsynced, offset).then(
      () => {
        this.#failpoints.hit(drill)
        sync()
      },
      (error: Error) => this.#written(segment, job, error),
    )
  }

  #written(segment: Segment, job: BatchJob, error: Error | null): void {
    assert(this.#writing, 'a write was reported twice')
    this.#writing = false
    const failure = this.#error ?? error
    if (failure !== null) {
      job.done(failure)
      return this.fail(failure)
    }
    this.#failpoints.hit('log.batchSynced')
    job.done(null)
    if (segment.usedBytes > segment.madeBytes / 2) this.#prepareSpare()
    this.#next()
  }

  /** The name of the place if the process is to end there, with bytes written and not synced. */
  #drill(name: FailpointName): FailpointName | null {
    if (this.#failpoints.armed(name)) return name
    this.#failpoints.hit(name)
    return null
  }

  /** Encodes `job` anew behind the restatement that opens a segment. */
  #rotate(job: BatchJob): Segment {
    const spare = this.#spare!
    this.#spare = null
    const segment: Segment = {
      ...spare,
      position: job.before.position,
      lowestIndex: Infinity,
      usedBytes: 0,
      fileBytes: spare.madeBytes,
    }
    this.#segments.push(segment)
    this.#writer.reset(FRAME_HEADER_BYTES)
    encodeHead(this.#writer, { ...job.before, segment: segment.number })
    job.encode(this.#writer)
    this.#failpoints.hit('log.rotated')
    return segment
  }

  /** Makes the next segment beside the appends; one at a time. */
  #prepareSpare(): void {
    if (this.#spare !== null || this.#preparing !== null || this.#error !== null) return
    this.#preparing = this.#spares.make(this.#segments.at(-1)!.number + 1).then(
      (spare) => {
        this.#preparing = null
        this.#spare = spare
        this.#next()
      },
      (error: Error) => {
        this.#preparing = null
        // Of use only later, and by then there may be room again.
        if (error instanceof NoRoomError && (this.#writing || this.#jobs.length === 0)) return
        this.fail(error)
      },
    )
  }

  /** Called when nothing waits: after a while of quiet the newest batch gets its proof. */
  #settle(): void {
    if (this.#writing || this.#jobs.length > 0) return
    this.#armSeal()
    const idle = this.#idle
    this.#idle = null
    idle?.()
  }

  #armSeal(): void {
    if (this.#sealed || this.#error !== null || this.#sealTimer !== null) return
    this.#sealTimer = this.#clock.after(this.#sealAfterMs, () => {
      this.#sealTimer = null
      this.submit(this.#sealJob())
    })
  }
}
