import { crc32c } from '@node-rs/crc32'
import { createHash, type Hash } from 'node:crypto'
import { AssertionError, readJson } from '#cluster'
import { SnapshotDamagedError, SnapshotDecoder } from '../state-machine/snapshot-codec.ts'
import type { Pair } from '../store/store.ts'
import { BackupError } from './backup-error.ts'
import { type BackupManifest, manifestShape } from './backup-manifest.ts'

/**
 * A backup file, format 1. Integers are little-endian.
 *
 * ```
 *   parley backup 1\n │ frame …
 *
 *   ┌───────────┬──────────────────────────────┬────────┬───────────┐
 *   │ payload 4 │ CRC32C of kind and payload 4 │ kind 1 │ payload … │
 *   └───────────┴──────────────────────────────┴────────┴───────────┘
 *
 *   1 manifest  JSON
 *   2 content   the next bytes of the pinned cut as a snapshot stream, which has a hash of its own
 *   3 end       SHA-256 over every byte before this frame 32 │ end of backup\n
 * ```
 *
 * The end is written last: a file without it is no backup, whatever else is in it.
 */
const MAGIC = Buffer.from('parley backup 1\n', 'latin1')
const FAMILY = /^parley backup (\d{1,9})\n/
const END = Buffer.from('end of backup\n', 'latin1')
const Kind = { manifest: 1, content: 2, end: 3 } as const
const FRAME_HEADER_BYTES = 9
/** A snapshot's frame is below 2 MiB. */
const MAX_PAYLOAD_BYTES = 4 * 1024 * 1024

/** The bytes of a backup: `content` is what `encodeSnapshot` makes of the cut that it names. */
export async function* encodeBackup(
  manifest: BackupManifest,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes)
    return bytes
  }
  yield hashed(MAGIC)
  yield hashed(frame(Kind.manifest, Buffer.from(JSON.stringify(manifest))))
  for await (const bytes of content) yield hashed(frame(Kind.content, bytes))
  yield frame(Kind.end, Buffer.concat([hash.digest(), END]))
}

/** Takes a backup in pieces of any size and gives out its pairs, each verified before. */
export class BackupDecoder {
  #rest: Buffer = Buffer.alloc(0)
  #started = false
  #manifest: BackupManifest | null = null
  #content: SnapshotDecoder | null = null
  #complete = false
  readonly #hash: Hash = createHash('sha256')

  /** `null` until it was read. */
  get manifest(): BackupManifest | null {
    return this.#manifest
  }

  /** The pairs that became whole with these bytes. Throws `BackupError`. */
  push(bytes: Uint8Array): Pair[] {
    const pairs: Pair[] = []
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    if (!this.#started && !this.#start()) return pairs
    for (;;) {
      if (this.#complete) {
        if (this.#rest.length > 0) throw damaged('bytes follow its end')
        return pairs
      }
      if (this.#rest.length < FRAME_HEADER_BYTES) return pairs
      const length = this.#rest.readUInt32LE(0)
      if (length > MAX_PAYLOAD_BYTES) throw damaged(`a frame of ${length} bytes`)
      const end = FRAME_HEADER_BYTES + length
      if (this.#rest.length < end) return pairs
      const whole = this.#rest.subarray(0, end)
      this.#rest = this.#rest.subarray(end)
      for (const pair of this.#frame(whole)) pairs.push(pair)
    }
  }

  /** There is no more: throws `BackupError` unless the end was read. */
  finish(): BackupManifest {
    if (!this.#started && !this.#start()) {
      const isBeginning = MAGIC.subarray(0, this.#rest.length).equals(this.#rest)
      throw isBeginning && this.#rest.length > 0
        ? new BackupError('truncated', 'it has no manifest')
        : new BackupError('foreign', 'it does not begin as one')
    }
    if (!this.#complete) throw new BackupError('truncated', 'its end marker is not there')
    return this.#manifest as BackupManifest
  }

  #start(): boolean {
    const known = Math.min(this.#rest.length, MAGIC.length)
    if (!this.#rest.subarray(0, known).equals(MAGIC.subarray(0, known))) {
      const said = FAMILY.exec(this.#rest.subarray(0, 32).toString('latin1'))
      if (said !== null) throw new BackupError('newer', `its format is ${said[1]}, this knows 1`)
      if (this.#rest.length >= 32) throw new BackupError('foreign', 'it does not begin as one')
      return false
    }
    if (this.#rest.length < MAGIC.length) return false
    this.#hash.update(MAGIC)
    this.#rest = this.#rest.subarray(MAGIC.length)
    this.#started = true
    return true
  }

  #frame(bytes: Buffer): readonly Pair[] {
    if (crc32c(bytes.subarray(8)) >>> 0 !== bytes.readUInt32LE(4)) {
      throw damaged('a checksum is wrong')
    }
    const kind = bytes[8]
    const payload = bytes.subarray(FRAME_HEADER_BYTES)
    if (kind === Kind.end) {
      this.#end(payload)
      return []
    }
    this.#hash.update(bytes)
    if (this.#manifest === null) {
      if (kind !== Kind.manifest) throw damaged('it has no manifest')
      this.#manifest = readJson(payload, manifestShape, (why) => damaged(`its manifest: ${why}`))
      this.#content = new SnapshotDecoder(this.#manifest)
      return []
    }
    if (kind !== Kind.content) throw damaged(`a frame of kind ${kind}`)
    return this.#pairs(payload)
  }

  #pairs(payload: Uint8Array): readonly Pair[] {
    try {
      return this.#content!.push(payload)
    } catch (cause) {
      const isOfContent = cause instanceof SnapshotDamagedError || cause instanceof AssertionError
      if (isOfContent) throw damaged(cause.message)
      throw cause
    }
  }

  #end(payload: Buffer): void {
    if (payload.length !== 32 + END.length || !payload.subarray(32).equals(END)) {
      throw damaged('its last frame is malformed')
    }
    if (!payload.subarray(0, 32).equals(this.#hash.digest())) throw damaged('its hash is wrong')
    if (this.#content?.complete !== true) throw damaged('its content is not whole')
    this.#complete = true
  }
}

function frame(kind: number, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + payload.length)
  bytes.writeUInt32LE(payload.length, 0)
  bytes[8] = kind
  bytes.set(payload, FRAME_HEADER_BYTES)
  bytes.writeUInt32LE(crc32c(bytes.subarray(8)) >>> 0, 4)
  return bytes
}

function damaged(what: string): BackupError {
  return new BackupError('damaged', what)
}
