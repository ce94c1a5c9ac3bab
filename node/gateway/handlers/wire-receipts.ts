import type { WireReceipts } from '#protocol'
import type { ConversationView, StateReader } from '../../state-machine/types.ts'

/** How far the present members have got, seen from `seq`; by name in a small conversation (B5). */
export async function wireReceipts(
  state: StateReader,
  { id, large }: ConversationView,
  seq: number,
): Promise<WireReceipts> {
  if (large) {
    const counts = await state.receiptCounts(id, [seq])
    return { seq, delivered: counts?.delivered[0] ?? 0, read: counts?.read[0] ?? 0 }
  }
  const receipts = (await state.receiptsOf(id)) ?? []
  return {
    seq,
    delivered: receipts.filter(({ delivered }) => delivered >= seq).length,
    read: receipts.filter(({ read }) => read >= seq).length,
    members: receipts.map(({ user, delivered, read }) => ({ user, delivered, read })),
  }
}
