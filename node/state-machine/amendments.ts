import { assert } from '#cluster'
import { StoreDamagedError, type Store } from '../store/store.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import type { Conversation } from './conversation-state.ts'
import { amendmentKey } from './keys.ts'
import { type ObjectKind, ObjectTable, TableObject } from './object-table.ts'

/** Part of the store format. */
const SEQS_PER_BLOCK = 256
/** What an amended event takes in a record. */
const LEAST_BYTES = 2

/** What became of an event after it was stored; never changed, only replaced. */
export interface Amendment {
  /** Seq of the last edit, 0 if there was none. */
  readonly edited: number
  readonly recalled: boolean
  readonly expired: boolean
}

/** What became of up to 256 consecutive events of one conversation. */
export class AmendmentBlock extends TableObject {
  /** By seq; an event that is as it was stored is not here. */
  readonly bySeq = new Map<number, Amendment>()

  encode(): Uint8Array {
    const writer = new ByteWriter().varint(this.bySeq.size)
    for (const [seq, { edited, recalled, expired }] of this.bySeq) {
      writer.u8(seq % SEQS_PER_BLOCK)
      writer.u8((edited === 0 ? 0 : 1) | (recalled ? 2 : 0) | (expired ? 4 : 0))
      if (edited !== 0) writer.varint(edited)
    }
    return writer.toBytes()
  }

  static decode(id: string, bytes: Uint8Array | null): AmendmentBlock {
    const block = new AmendmentBlock(id)
    if (bytes === null) return block
    const first = partsOf(id).block * SEQS_PER_BLOCK
    const reader = new ByteReader(bytes)
    const count = reader.varint()
    assert(count * LEAST_BYTES <= reader.remaining, `${count} amendments are not there`)
    for (let i = 0; i < count; i += 1) {
      const seq = first + reader.u8()
      const flags = reader.u8()
      const edited = (flags & 1) === 0 ? 0 : reader.varint()
      block.bySeq.set(seq, shared(edited, (flags & 2) !== 0, (flags & 4) !== 0))
    }
    reader.end('a block of amendments')
    return block
  }
}

const KIND: ObjectKind<AmendmentBlock> = {
  name: 'amendments',
  key(id) {
    const { conv, block } = partsOf(id)
    return amendmentKey(conv, block)
  },
  encode: (block) => block.encode(),
  decode: (id, bytes) => AmendmentBlock.decode(id, bytes),
}

/**
 * What became of events: edits, recalls and removals, in blocks of a conversation's seqs. The
 * conversation says which blocks there are, so that a missing one is noticed (rule K5).
 */
export class Amendments {
  readonly table: ObjectTable<AmendmentBlock>

  constructor(store: Store, maxBlocks: number) {
    this.table = new ObjectTable(KIND, store, maxBlocks)
  }

  /** For prefetch: the block that apply will look at and memory does not hold. */
  missing(conversation: Conversation, seq: number): string | null {
    if (!isListed(conversation, seq)) return null
    const id = idOf(conversation, seq)
    return this.table.get(id) === undefined ? id : null
  }

  /** For prefetch. */
  async load(ids: readonly string[]): Promise<void> {
    await this.table.load(ids)
    for (const id of ids) notEmpty(this.table.need(id))
  }

  /** For apply: what was prefetched. */
  find(conversation: Conversation, seq: number): Amendment | null {
    if (!isListed(conversation, seq)) return null
    return this.table.need(idOf(conversation, seq)).bySeq.get(seq) ?? null
  }

  /** For apply, after the conversation was touched: its list of blocks may grow. */
  amend(conversation: Conversation, seq: number, change: Partial<Amendment>): void {
    const id = idOf(conversation, seq)
    let block: AmendmentBlock
    if (isListed(conversation, seq)) block = this.table.need(id)
    else {
      block = this.table.create(id)
      conversation.amended = withBlock(conversation.amended, blockOf(seq))
    }
    this.table.touch(block)
    const after = { ...NEVER, ...block.bySeq.get(seq), ...change }
    block.bySeq.set(seq, shared(after.edited, after.recalled, after.expired))
  }

  /**
   * For readers: what became of the event as of now, at once if memory holds it. Never older than
   * `conversation`, which names the blocks.
   */
  read(conversation: Conversation, seq: number): Amendment | null | Promise<Amendment | null> {
    if (!isListed(conversation, seq)) return null
    const id = idOf(conversation, seq)
    const hot = this.table.get(id)
    if (hot !== undefined) return hot.bySeq.get(seq) ?? null
    return this.table.read(id).then((block) => notEmpty(block).bySeq.get(seq) ?? null)
  }
}

const NEVER: Amendment = { edited: 0, recalled: false, expired: false }
const RECALLED: Amendment = { ...NEVER, recalled: true }
const EXPIRED: Amendment = { ...NEVER, expired: true }

/** Most are one of two: they are millions where much was removed. */
function shared(edited: number, recalled: boolean, expired: boolean): Amendment {
  if (edited === 0 && recalled !== expired) return recalled ? RECALLED : EXPIRED
  return { edited, recalled, expired }
}

/** Whether the event has no body any more. */
export function isGone(amendment: Amendment | null): boolean {
  return amendment !== null && (amendment.recalled || amendment.expired)
}

/** Blocks are made by their first amendment and never become empty. */
function notEmpty(block: AmendmentBlock): AmendmentBlock {
  if (block.bySeq.size > 0) return block
  throw new StoreDamagedError(`the amendments ${block.id} are missing from the store`)
}

const blockOf = (seq: number): number => Math.floor(seq / SEQS_PER_BLOCK)
const idOf = ({ id }: Conversation, seq: number): string => `${blockOf(seq)}:${id}`

function partsOf(id: string): { conv: string; block: number } {
  const at = id.indexOf(':')
  return { conv: id.slice(at + 1), block: Number(id.slice(0, at)) }
}

/** `amended` lists runs of blocks as first, last, first, last, …, ascending. */
function isListed({ amended }: Conversation, seq: number): boolean {
  const block = blockOf(seq)
  for (let i = amended.length - 2; i >= 0; i -= 2) {
    if (block >= amended[i]!) return block <= amended[i + 1]!
  }
  return false
}

/** A new list: a frozen head or a reader may hold the old one. */
function withBlock(amended: readonly number[], block: number): readonly number[] {
  const runs = [...amended]
  let at = runs.length
  while (at > 0 && runs[at - 2]! > block) at -= 2
  const joinsBefore = at > 0 && runs[at - 1] === block - 1
  const joinsAfter = at < runs.length && runs[at] === block + 1
  if (joinsBefore && joinsAfter) runs.splice(at - 1, 2)
  else if (joinsBefore) runs[at - 1] = block
  else if (joinsAfter) runs[at] = block
  else runs.splice(at, 0, block, block)
  return runs
}
