import { crc32c } from '@node-rs/crc32'
import { assert } from '#cluster'
import { StoreDamagedError, type Store } from '../store/store.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { revocationsKey } from './keys.ts'
import { type ObjectKind, ObjectTable, TableObject } from './object-table.ts'

/** Users share this many blocks; the state record says which of them there are (rule K5). */
const BLOCKS = 256
const BLOCKS_IN_MEMORY = 64
/** One more device of a user, and what was revoked for devices is revoked for the user. */
const MAX_DEVICES = 100
const FORMAT = 1

/** Wall times in ms: tokens issued before are refused. */
interface Revoked {
  /** Of the user, whatever the device; 0 if never. */
  user: number
  readonly devices: Map<string, number>
}

/** What was revoked of the users of one block. */
export class RevocationBlock extends TableObject {
  readonly users = new Map<string, Revoked>()

  static decode(id: string, bytes: Uint8Array): RevocationBlock {
    const block = new RevocationBlock(id)
    const reader = new ByteReader(bytes)
    const format = reader.u8()
    assert(format === FORMAT, `revoked tokens of unknown format ${format}: this node is too old`)
    for (let users = reader.varint(); users > 0; users -= 1) {
      const name = reader.string()
      const revoked: Revoked = { user: reader.varint(), devices: new Map() }
      for (let left = reader.varint(); left > 0; left -= 1) {
        const device = reader.string()
        revoked.devices.set(device, reader.varint())
      }
      block.users.set(name, revoked)
    }
    reader.end('a block of revoked tokens')
    return block
  }

  encode(): Uint8Array {
    const writer = new ByteWriter().u8(FORMAT).varint(this.users.size)
    for (const [name, { user, devices }] of this.users) {
      writer.string(name).varint(user).varint(devices.size)
      for (const [device, before] of devices) writer.string(device).varint(before)
    }
    return writer.toBytes()
  }
}

/**
 * Which tokens are refused although they are signed and in date: kept by user for ever, as nobody
 * says how long a token lives. A block that was written and is not there is damage, so that a token
 * does not come back with a lost value.
 */
export class Revocations {
  readonly table: ObjectTable<RevocationBlock>
  /** One bit per block that was ever changed. */
  readonly #present: Uint8Array

  constructor(store: Store, present: Uint8Array) {
    this.#present = new Uint8Array(BLOCKS / 8)
    this.#present.set(present)
    this.table = new ObjectTable(this.#kind(), store, BLOCKS_IN_MEMORY)
  }

  /** For the state record. */
  get present(): Uint8Array {
    return this.#present.slice()
  }

  /** The block to load before `revoke` is applied, `null` if memory holds it. */
  missing(user: string): string | null {
    const id = blockOf(user)
    return this.table.get(id) === undefined ? id : null
  }

  /** Apply: `missing` was loaded. Never takes back what was revoked. */
  revoke(user: string, device: string | null, before: number): void {
    const id = blockOf(user)
    const block = this.table.need(id)
    const known = block.users.get(user)
    const last = device === null ? known?.user : known?.devices.get(device)
    if (before <= (last ?? 0)) return
    this.table.touch(block)
    this.#present[Number(id) >> 3]! |= 1 << (Number(id) & 7)
    const revoked = known ?? { user: 0, devices: new Map<string, number>() }
    block.users.set(user, revoked)
    if (device === null) {
      revoked.user = before
      return
    }
    revoked.devices.set(device, before)
    if (revoked.devices.size <= MAX_DEVICES) return
    revoked.user = Math.max(revoked.user, ...revoked.devices.values())
    revoked.devices.clear()
  }

  /** Tokens of the user issued before this, in ms, are refused; 0: none. `null`: of no device. */
  async before(user: string, device: string | null): Promise<number> {
    const id = blockOf(user)
    if (!this.#isPresent(id)) return 0
    const revoked = (await this.table.read(id)).users.get(user)
    if (revoked === undefined) return 0
    const ofDevice = device === null ? undefined : revoked.devices.get(device)
    return Math.max(revoked.user, ofDevice ?? 0)
  }

  #isPresent(id: string): boolean {
    return (this.#present[Number(id) >> 3]! & (1 << (Number(id) & 7))) !== 0
  }

  #kind(): ObjectKind<RevocationBlock> {
    return {
      name: 'revocations',
      key: (id) => revocationsKey(Number(id)),
      encode: (block) => block.encode(),
      decode: (id, bytes) => {
        if (bytes !== null) return RevocationBlock.decode(id, bytes)
        if (!this.#isPresent(id)) return new RevocationBlock(id)
        throw new StoreDamagedError(`block ${id} of the revoked tokens is missing from the store`)
      },
    }
  }
}

const blockOf = (user: string): string => String((crc32c(user) >>> 0) % BLOCKS)
