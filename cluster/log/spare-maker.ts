import type { Failpoints } from '../failpoints.ts'
import type { File, FileSystem } from '../ports.ts'
import { NoRoomError } from './no-room.ts'
import { createSegment, segmentName, type SegmentName } from './segment-file.ts'
import type { SegmentReserve } from './segment-reserve.ts'

/** Holds the largest restatement of a segment and some batches. */
const LEAST_BYTES = 64 * 1024

/**
 * Makes the segments that follow: whole ones while there is room, else out of the reserve, else the
 * smallest that is of use (rule K9). A full disk that is met here did no harm: nothing is in the file.
 */
export class SpareMaker {
  readonly segmentBytes: number
  /** The disk is nearly full: the reserve is taken before room for whole segments. */
  savesSpace = false
  readonly #fileSystem: FileSystem
  readonly #failpoints: Failpoints
  readonly #directory: string
  readonly #reserve: SegmentReserve

  constructor(options: {
    fileSystem: FileSystem
    failpoints: Failpoints
    directory: string
    segmentBytes: number
    reserve: SegmentReserve
  }) {
    this.segmentBytes = options.segmentBytes
    this.#fileSystem = options.fileSystem
    this.#failpoints = options.failpoints
    this.#directory = options.directory
    this.#reserve = options.reserve
  }

  /** A segment without frames, durable under its name. */
  async make(number: number): Promise<SegmentName & { readonly file: File }> {
    if (!this.savesSpace) {
      try {
        return await this.#make(number, this.segmentBytes)
      } catch (error) {
        if (!(error instanceof NoRoomError)) throw error
      }
    }
    const reserved = this.#reserve.take()
    if (reserved !== null) return this.#make(number, reserved.bytes, reserved.path)
    return this.#make(number, Math.min(this.segmentBytes, LEAST_BYTES))
  }

  async #make(number: number, bytes: number, reserved?: string) {
    const name = segmentName(this.#directory, number, bytes)
    const file = await createSegment({
      fileSystem: this.#fileSystem,
      failpoints: this.#failpoints,
      directory: this.#directory,
      name,
      firstFrame: null,
      ...(reserved === undefined ? {} : { reserved }),
    })
    return { ...name, file }
  }
}
