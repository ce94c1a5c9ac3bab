import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { receiptKey } from './keys.ts'
import { type ObjectKind, TableObject } from './object-table.ts'

/** A change of one cursor writes the block that it stands in, not the whole list of members. */
export const MEMBERS_PER_BLOCK = 128
/** Numbers per member: delivered, read, log index of the last change. */
const FIELDS = 3

/**
 * The cursors of neighbours in a conversation's list of members (rule B5). Only apply changes it, and
 * touches it in its table first.
 */
export class ReceiptBlock extends TableObject {
  #numbers: number[] = []

  /** Members that it has numbers of; the others of its range never acknowledged anything. */
  get count(): number {
    return this.#numbers.length / FIELDS
  }

  delivered(slot: number): number {
    return this.#numbers[slot * FIELDS] ?? 0
  }

  /** What it takes in a checkpoint, roughly. */
  get bytes(): number {
    return 64 + this.count * 8
  }

  /** Never past `delivered`. */
  read(slot: number): number {
    return this.#numbers[slot * FIELDS + 1] ?? 0
  }

  /** Log index at which one of the two last rose; 0: never. */
  changedIndex(slot: number): number {
    return this.#numbers[slot * FIELDS + 2] ?? 0
  }

  set(slot: number, delivered: number, read: number, changedIndex: number): void {
    assert(slot >= 0 && slot < MEMBERS_PER_BLOCK, `slot ${slot} is outside ${this.id}`)
    assert(delivered >= this.delivered(slot), `the delivered cursor of ${this.id} falls`)
    assert(read >= this.read(slot) && read <= delivered, `the read cursor of ${this.id} is wrong`)
    assert(changedIndex >= 0, `a change of ${this.id} has no index`)
    while (this.count <= slot) this.#numbers.push(0, 0, 0)
    this.#numbers[slot * FIELDS] = delivered
    this.#numbers[slot * FIELDS + 1] = read
    this.#numbers[slot * FIELDS + 2] = changedIndex
  }

  /** u8 count, then per member varints: delivered, delivered − read, newest change − change. */
  encode(): Uint8Array {
    const { count } = this
    let newest = 0
    for (let slot = 0; slot < count; slot += 1) newest = Math.max(newest, this.changedIndex(slot))
    const writer = new ByteWriter(16 + count * 8).u8(count).varint(newest)
    for (let slot = 0; slot < count; slot += 1) {
      const delivered = this.delivered(slot)
      writer.varint(delivered).varint(delivered - this.read(slot))
      writer.varint(newest - this.changedIndex(slot))
    }
    return writer.toBytes()
  }

  static decode(id: string, bytes: Uint8Array | null): ReceiptBlock {
    const block = new ReceiptBlock(id)
    if (bytes === null) return block
    const reader = new ByteReader(bytes)
    const count = reader.u8()
    const newest = reader.varint()
    for (let slot = 0; slot < count; slot += 1) {
      const delivered = reader.varint()
      const read = delivered - reader.varint()
      block.set(slot, delivered, read, newest - reader.varint())
    }
    reader.end('a block of receipts')
    return block
  }
}

export const RECEIPT_BLOCKS: ObjectKind<ReceiptBlock> = {
  name: 'receipts',
  key(id) {
    const end = id.indexOf(':')
    return receiptKey(id.slice(end + 1), Number(id.slice(0, end)))
  },
  encode: (block) => block.encode(),
  decode: (id, bytes) => ReceiptBlock.decode(id, bytes),
}

/** Id of the block that holds the member at this position of the conversation's list. */
export function receiptBlockId(conv: string, position: number): string {
  return `${Math.floor(position / MEMBERS_PER_BLOCK)}:${conv}`
}
