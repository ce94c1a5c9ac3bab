import { crc32c } from '@node-rs/crc32'
import { assert, type FileSystem } from '#cluster'
import { storeFormat } from './value-codec.ts'

/** The newest batch that was promised: acknowledged as a cut. Number 0: nothing yet. */
export interface Promised {
  readonly number: number
  readonly chain: number
}

/** Slots lie in different pages, so that a torn write harms only the one it is writing. */
const slotOffsets = [0, 4096] as const
const slotBytes = 24
const magic = 0x50535631

/**
 * A small file beside the database that says up to which batch the database must reach. The database
 * alone cannot tell a cut lost at its end from a cut never written: one flipped bit near the end of
 * its log, or a log file gone, and it opens without complaint at an older state (rule K3).
 *
 * Written after the cut is synced and before it is acknowledged. Two slots are written in turn: a
 * crash can tear the one being written, the other then names the cut before.
 */
export class StoreSeal {
  readonly #fileSystem: FileSystem
  readonly #path: string
  /** `null`: both slots are unreadable. */
  #promised: Promised | null
  #nextSlot: 0 | 1

  private constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#promised = null
    this.#nextSlot = 0
  }

  /** Makes the file. The caller syncs its directory. */
  static async create(fileSystem: FileSystem, path: string): Promise<StoreSeal> {
    const file = await fileSystem.open(path, { create: 'new' })
    await file.close()
    const seal = new StoreSeal(fileSystem, path)
    for (let slot = 0; slot < slotOffsets.length; slot++) {
      await seal.write({ number: 0, chain: 0 })
    }
    return seal
  }

  static async open(fileSystem: FileSystem, path: string): Promise<StoreSeal> {
    const seal = new StoreSeal(fileSystem, path)
    if (!(await fileSystem.exists(path))) return seal
    const bytes = Buffer.from(await fileSystem.readFile(path))
    const slots = slotOffsets.map((offset) =>
      decodeSlot(bytes.subarray(offset, offset + slotBytes)),
    )
    const [first, second] = [slots[0] ?? null, slots[1] ?? null]
    const firstIsNewest = first !== null && (second === null || first.number >= second.number)
    seal.#promised = firstIsNewest ? first : second
    seal.#nextSlot = firstIsNewest ? 1 : 0
    return seal
  }

  /** `null` if the file is gone or neither slot can be read. */
  get promised(): Promised | null {
    return this.#promised
  }

  /** Durable when it resolves. An error is final: the file's content is then unknown. */
  async write(promised: Promised): Promise<void> {
    assert(
      this.#promised === null || promised.number >= this.#promised.number,
      'a seal never goes back',
    )
    const file = await this.#fileSystem.open(this.#path, { create: 'never' })
    try {
      await new Promise<void>((resolve, reject) => {
        file.writeAndSync(encodeSlot(promised), slotOffsets[this.#nextSlot], (error) =>
          error === null ? resolve() : reject(error),
        )
      })
    } finally {
      await file.close()
    }
    this.#promised = promised
    this.#nextSlot = this.#nextSlot === 0 ? 1 : 0
  }
}

function encodeSlot(promised: Promised): Uint8Array {
  const bytes = Buffer.alloc(slotBytes)
  bytes.writeUInt32BE(magic, 0)
  bytes.writeUInt32BE(storeFormat, 4)
  bytes.writeBigUInt64BE(BigInt(promised.number), 8)
  bytes.writeUInt32BE(promised.chain, 16)
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 20)), 20)
  return bytes
}

function decodeSlot(bytes: Buffer): Promised | null {
  if (bytes.length !== slotBytes || bytes.readUInt32BE(0) !== magic) return null
  if (bytes.readUInt32BE(4) !== storeFormat) return null
  if (crc32c(bytes.subarray(0, 20)) !== bytes.readUInt32BE(20)) return null
  const number = Number(bytes.readBigUInt64BE(8))
  return Number.isSafeInteger(number) ? { number, chain: bytes.readUInt32BE(16) } : null
}
