import { crc32c } from '@node-rs/crc32'
import type { File, FileSystem } from '#cluster'
import { maskChecksum } from './level-checksum.ts'
import { DatabaseError, type VerifyOptions } from './key-value-database.ts'
import { readLiveTables } from './level-manifest.ts'

const footerBytes = 48
const trailerBytes = 5
const magicLow = 0x8b80fb57
const magicHigh = 0xdb477524
const uncompressed = 0
const windowBytes = 512 * 1024

interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/**
 * Reads every table of the database at `path` and compares the checksum of each block, index and
 * filter included, which LevelDB writes and, as it is built here, never reads. A flipped bit in a
 * key, an index or a filter hides keys, or uncovers older values under them, without any error.
 *
 * Tables that a compaction removes meanwhile are skipped. The logs and the manifest are left out:
 * LevelDB checks those itself when it opens.
 */
export async function verifyTables(
  fileSystem: FileSystem,
  path: string,
  { pace, limitBytes = Infinity }: VerifyOptions,
): Promise<number> {
  const tables = await readLiveTables(fileSystem, path)
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total > limitBytes) return 0
  for (const table of tables) {
    const name = `${String(table.number).padStart(6, '0')}.ldb`
    const file = await openTable(fileSystem, `${path}/${name}`)
    if (file === null) continue
    try {
      await new TableReader(file, name, table.bytes).verify(pace)
    } finally {
      await file.close()
    }
  }
  return total
}

async function openTable(fileSystem: FileSystem, path: string): Promise<File | null> {
  try {
    return await fileSystem.open(path, { create: 'never' })
  } catch (error) {
    if (await fileSystem.exists(path)) throw error
    return null
  }
}

/** One table: data blocks, filter, metaindex, index, footer; only the footer has no checksum. */
export class TableReader {
  readonly #file: File
  readonly #name: string
  readonly #bytes: number
  /** Blocks follow each other, so that few reads fetch many. */
  #window = Buffer.alloc(0)
  #windowOffset = 0

  constructor(file: File, name: string, bytes: number) {
    this.#file = file
    this.#name = name
    this.#bytes = bytes
  }

  async verify(pace: (() => Promise<void>) | undefined): Promise<void> {
    const footer = await this.#footer()
    const [metaIndex, next] = this.#handle(footer, 0)
    const [index] = this.#handle(footer, next)
    for (const root of [metaIndex, index]) {
      // Copied: reading on moves the window.
      const handles = Buffer.from(await this.#block(root))
      for (const handle of this.#handles(handles)) {
        await this.#block(handle)
        await pace?.()
      }
    }
  }

  /**
   * Every pair as it stands in the table, older versions and deletions too, in order; keys end in the
   * eight bytes that LevelDB adds. Views, valid until the next step.
   */
  async *pairs(): AsyncGenerator<{ readonly key: Buffer; readonly value: Buffer }> {
    const footer = await this.#footer()
    const [, next] = this.#handle(footer, 0)
    const [index] = this.#handle(footer, next)
    const handles = Buffer.from(await this.#block(index))
    for (const handle of this.#handles(handles)) yield* this.#entries(await this.#block(handle))
  }

  async #footer(): Promise<Buffer> {
    if (this.#bytes < footerBytes) throw this.#damaged('it is too short')
    const at = { offset: this.#bytes - footerBytes, size: footerBytes }
    const footer = Buffer.from(await this.#read(at))
    if (footer.readUInt32LE(40) !== magicLow || footer.readUInt32LE(44) !== magicHigh) {
      throw this.#damaged('its footer is broken')
    }
    return footer
  }

  /** `shared, unshared, length, key tail, value`, each key beginning as the one before it. */
  *#entries(block: Buffer): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
    if (block.length < 4) throw this.#damaged('a block is too short')
    const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4)
    let key = Buffer.alloc(0)
    for (let offset = 0; offset < end;) {
      const [shared, afterShared] = this.#varint(block, offset)
      const [unshared, afterUnshared] = this.#varint(block, afterShared)
      const [length, from] = this.#varint(block, afterUnshared)
      offset = from + unshared + length
      if (shared > key.length || offset > end) throw this.#damaged('an entry leaves its block')
      key = Buffer.concat([key.subarray(0, shared), block.subarray(from, from + unshared)])
      if (key.length < 8) throw this.#damaged('a key is too short')
      yield { key, value: block.subarray(from + unshared, offset) }
    }
  }

  async #block(handle: BlockHandle): Promise<Buffer> {
    const bytes = await this.#read({ offset: handle.offset, size: handle.size + trailerBytes })
    const stored = bytes.readUInt32LE(handle.size + 1)
    if (maskChecksum(crc32c(bytes.subarray(0, handle.size + 1))) !== stored) {
      throw this.#damaged(`the block at ${handle.offset} fails its checksum`)
    }
    if (bytes[handle.size] !== uncompressed) throw this.#damaged('a block is compressed')
    return bytes.subarray(0, handle.size)
  }

  /** The values of an index block, which are handles: `shared, unshared, length, key tail, value`. */
  *#handles(block: Buffer): Generator<BlockHandle> {
    if (block.length < 4) throw this.#damaged('an index block is too short')
    const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4)
    let offset = 0
    while (offset < end) {
      const [, afterShared] = this.#varint(block, offset)
      const [unshared, afterUnshared] = this.#varint(block, afterShared)
      const [length, afterLength] = this.#varint(block, afterUnshared)
      yield this.#handle(block, afterLength + unshared)[0]
      offset = afterLength + unshared + length
    }
  }

  #handle(bytes: Buffer, at: number): [BlockHandle, number] {
    const [offset, next] = this.#varint(bytes, at)
    const [size, end] = this.#varint(bytes, next)
    return [{ offset, size }, end]
  }

  #varint(bytes: Buffer, at: number): [number, number] {
    let value = 0
    for (let i = 0; i < 7; i++) {
      const byte = bytes[at + i]
      if (byte === undefined) break
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return [value, at + i + 1]
    }
    throw this.#damaged('a block handle is broken')
  }

  /** Valid until the next call. */
  async #read(range: BlockHandle): Promise<Buffer> {
    if (range.offset < 0 || range.offset + range.size > this.#bytes) {
      throw this.#damaged('a block lies outside the file')
    }
    const end = this.#windowOffset + this.#window.length
    if (range.offset < this.#windowOffset || range.offset + range.size > end) {
      const length = Math.max(range.size, Math.min(windowBytes, this.#bytes - range.offset))
      const window = Buffer.allocUnsafe(length)
      if ((await this.#file.read(window, range.offset)) !== length) {
        throw this.#damaged('the file ends early')
      }
      this.#window = window
      this.#windowOffset = range.offset
    }
    const at = range.offset - this.#windowOffset
    return this.#window.subarray(at, at + range.size)
  }

  #damaged(what: string): DatabaseError {
    return new DatabaseError('corrupt', `table ${this.#name}: ${what}`)
  }
}
