import { crc32c } from '@node-rs/crc32'
import { LogDamagedError } from '#cluster'
import { FRAME_HEADER_BYTES, frameBytes } from '../../../cluster/log/frame-codec.ts'
import { LogFormatError } from '../../../cluster/log/log-format-error.ts'
import { decodeBatch } from '../../../cluster/log/record-codec.ts'
import { contentOf } from '../../../cluster/log/testing/log-samples.ts'
import type { Prng } from '../../prng.ts'
import { mutate } from '../mutate.ts'
import { refusalOr, type Target } from '../target.ts'
import { type LogImage, makeLog, openLog } from './log-image.ts'

/** What stands in a frame whose checksum is right: written by another version, or by a bug. */
export class LogRecords implements Target {
  readonly #payloads: readonly Uint8Array[]

  private constructor(payloads: readonly Uint8Array[]) {
    this.#payloads = payloads
  }

  static async open(): Promise<LogRecords> {
    const image = await makeLog(true)
    return new LogRecords(payloadsOf(image))
  }

  make(random: Prng): Uint8Array {
    if (random.chance(0.02)) return random.bytes(random.below(100))
    return mutate(random, random.pick(this.#payloads), this.#payloads)
  }

  judge(bytes: Uint8Array): string | null {
    const result = refusalOr([LogFormatError], () => decodeBatch(Buffer.from(bytes)))
    return 'refusal' in result ? result.refusal : null
  }
}

/**
 * A whole log one frame of which says something else under a right checksum, and all later ones are
 * chained to it. It opens and can be read to its end, or it is refused as what it is.
 */
export class LogContent implements Target {
  readonly allowedBytes = 32 << 20
  readonly #image: LogImage
  readonly #payloads: readonly Uint8Array[]

  private constructor(image: LogImage) {
    this.#image = image
    this.#payloads = payloadsOf(image)
  }

  static async open(): Promise<LogContent> {
    return new LogContent(await makeLog(true))
  }

  /** Which frame, then its new payload. */
  make(random: Prng): Uint8Array {
    const at = random.below(this.#payloads.length)
    const payload = mutate(random, this.#payloads[at]!, this.#payloads)
    return Buffer.concat([Uint8Array.of(at), payload])
  }

  async judge(bytes: Uint8Array): Promise<string | null> {
    const disk = this.#image.disk.clone()
    for (const [path, content] of this.#rewritten(bytes)) disk.overwrite(path, content)
    try {
      const log = await openLog(disk)
      contentOf(log)
      await log.close()
      return null
    } catch (error) {
      if (error instanceof LogDamagedError || error instanceof LogFormatError) return error.message
      throw error
    }
  }

  #rewritten(input: Uint8Array): Map<string, Buffer> {
    const { disk, paths, frames } = this.#image
    const changed = (input[0] ?? 0) % frames.length
    const files = new Map<string, Buffer>()
    let chain = 0
    for (const path of paths) {
      const parts: Buffer[] = []
      for (const [at, place] of frames.entries()) {
        if (place.path !== path) continue
        const old = Buffer.from(
          disk.bytesOf(path).subarray(place.offset, place.offset + place.bytes),
        )
        const frame = at === changed ? withPayload(old, input.subarray(1)) : old
        if (at > changed) frame.writeUInt32LE(chain, 32)
        chain = crc32c(frame.subarray(8))
        frame.writeUInt32LE(chain, 4)
        parts.push(frame)
      }
      const content = Buffer.concat(parts)
      const zeros = Math.max(0, disk.bytesOf(path).length - content.length)
      files.set(path, Buffer.concat([content, Buffer.alloc(zeros)]))
    }
    return files
  }
}

function withPayload(frame: Buffer, payload: Uint8Array): Buffer {
  const changed = Buffer.alloc(frameBytes(payload.length))
  frame.copy(changed, 0, 0, FRAME_HEADER_BYTES)
  changed.set(payload, FRAME_HEADER_BYTES)
  changed.writeUInt32LE(payload.length, 12)
  return changed
}

function payloadsOf({ disk, frames }: LogImage): Uint8Array[] {
  return frames.map(({ path, offset }) => {
    const bytes = disk.bytesOf(path)
    const start = offset + FRAME_HEADER_BYTES
    return Uint8Array.from(bytes.subarray(start, start + bytes.readUInt32LE(offset + 12)))
  })
}
