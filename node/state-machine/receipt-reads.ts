import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import type { Conversation } from './conversation-state.ts'
import { isPresent } from './members.ts'
import { MEMBERS_PER_BLOCK, type ReceiptBlock, receiptBlockId } from './receipt-block.ts'
import type { MemberReceipt, ReceiptCounts } from './types.ts'

/** Blocks read together. */
const BLOCKS_PER_READ = 64

/**
 * Every present member with his cursors. Blocks are read one after the other: as cursors only rise,
 * each is as of some index at or after the one at which the read began.
 */
export async function readReceipts(
  state: ApplicationState,
  conversation: Conversation,
): Promise<MemberReceipt[]> {
  const receipts: MemberReceipt[] = []
  await visitPresent(state, conversation, (user, block, slot) => {
    const delivered = block.delivered(slot)
    receipts.push({
      user,
      delivered,
      read: block.read(slot),
      changedIndex: block.changedIndex(slot),
    })
  })
  return receipts
}

/** How many present members have got as far as each of `upTos`: one walk over the cursors for all. */
export async function countReceipts(
  state: ApplicationState,
  conversation: Conversation,
  upTos: readonly number[],
): Promise<ReceiptCounts> {
  const delivered = upTos.map(() => 0)
  const read = upTos.map(() => 0)
  await visitPresent(state, conversation, (_user, block, slot) => {
    upTos.forEach((upTo, i) => {
      if (block.delivered(slot) >= upTo) delivered[i]! += 1
      if (block.read(slot) >= upTo) read[i]! += 1
    })
  })
  return { members: conversation.members.present, delivered, read }
}

/** One member's own cursors; zeros if he never acknowledged anything or is none. */
export async function readCursors(
  state: ApplicationState,
  conversation: Conversation,
  user: string,
): Promise<{ delivered: number; read: number }> {
  const position = conversation.members.find(user)?.position
  if (position === undefined) return { delivered: 0, read: 0 }
  const block = await state.receipts.read(receiptBlockId(conversation.id, position))
  const slot = position % MEMBERS_PER_BLOCK
  return { delivered: block.delivered(slot), read: block.read(slot) }
}

async function visitPresent(
  state: ApplicationState,
  { id, members }: Conversation,
  visit: (user: string, block: ReceiptBlock, slot: number) => void,
): Promise<void> {
  assert(members.isWhole, `a walk over some of the members of ${id}`)
  const span = MEMBERS_PER_BLOCK * BLOCKS_PER_READ
  for (let first = 0; first < members.list.length; first += span) {
    const ids: string[] = []
    const end = Math.min(first + span, members.list.length)
    for (let at = first; at < end; at += MEMBERS_PER_BLOCK) ids.push(receiptBlockId(id, at))
    const blocks = await Promise.all(ids.map((block) => state.receipts.read(block)))
    for (let position = first; position < end; position += 1) {
      const member = members.list[position]!
      if (!isPresent(member)) continue
      const block = blocks[Math.floor((position - first) / MEMBERS_PER_BLOCK)]!
      visit(member.user, block, position % MEMBERS_PER_BLOCK)
    }
  }
}
