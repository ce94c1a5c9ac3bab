import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import type { ColdObjects } from './cold-objects.ts'
import type { CursorAck } from './commands.ts'
import type { Conversation } from './conversation-state.ts'
import type { Member } from './members.ts'
import type { PreparedCursors } from './prepared-entry.ts'
import { MEMBERS_PER_BLOCK, type ReceiptBlock, receiptBlockId } from './receipt-block.ts'
import type { AppliedConversation, AppliedReceipt, ApplyListener, WriteResult } from './types.ts'

/** Further back than this nobody looks who wrote what a cursor now covers. */
const MAX_WRITERS_WALK = 100

/**
 * Applies what devices acknowledged (rule B5): cursors only rise, of a user the highest of the devices
 * counts, and whatever a client claims is clamped to what there is and what the member may see.
 */
export class CursorsApply {
  readonly #state: ApplicationState
  readonly #cold: ColdObjects

  constructor(state: ApplicationState, cold: ColdObjects) {
    this.#state = state
    this.#cold = cold
  }

  /** `wallTime` is that of the entry, ms. */
  apply(cursors: PreparedCursors, wallTime: number, listener: ApplyListener | null): WriteResult {
    const { conversations, logTime: now, allInMemory } = this.#state
    cursors.conversations.forEach(({ conv, acks }, i) => {
      const conversation = conversations.get(conv)
      if (conversation === undefined) {
        assert(allInMemory || this.#cold.isAbsent(conv), `${conv} was not prefetched`)
        return
      }
      for (const ack of acks) {
        const moved = this.#move(conversation, ack, cursors.membersBefore[i]!)
        if (moved === null || listener?.onReceipt === undefined) continue
        listener.onReceipt(new Receipt(this.#state, conversation, ack, moved, wallTime))
      }
    })
    for (const { user, device, inbox } of cursors.inboxes) {
      this.#state.users.deviceCursor(user, device, inbox, now)
      if (this.#state.push.acked(user, device, inbox)) listener?.onPush?.({ user, device })
    }
    const nothing = { conv: '', msgId: '', seq: 0, ord: 0, at: 0, inbox: null }
    return { ok: true, ...nothing, duplicate: false, now }
  }

  /** Where the cursor stood and stands; `null` if it did not move. */
  #move(conversation: Conversation, ack: CursorAck, membersBefore: number): Moved | null {
    const member = conversation.members.find(ack.user)
    const upTo = member === undefined ? 0 : lastVisible(member, ack.upTo, conversation.head)
    if (member === undefined || upTo === 0) return null
    const block = this.#block(conversation, member.position, membersBefore)
    const slot = member.position % MEMBERS_PER_BLOCK
    const delivered = block.delivered(slot)
    const read = block.read(slot)
    const previous = ack.kind === 'read' ? read : delivered
    if (upTo <= previous) return null
    if (this.#state.receipts.touch(block)) this.#state.dirty.addBytes(block.bytes)
    const newRead = ack.kind === 'read' ? upTo : read
    block.set(slot, Math.max(delivered, upTo), newRead, this.#state.appliedIndex + 1)
    this.#state.hash.cursor(member.position, previous, upTo)
    return { previous, upTo }
  }

  #block(conversation: Conversation, position: number, membersBefore: number): ReceiptBlock {
    const id = receiptBlockId(conversation.id, position)
    const block = this.#state.receipts.get(id)
    if (block !== undefined) return block
    // Only one whose first member this very entry brought in: prefetch could not know of it.
    assert(position - (position % MEMBERS_PER_BLOCK) > membersBefore, `${id} was not prefetched`)
    return this.#state.receipts.create(id)
  }
}

interface Moved {
  readonly previous: number
  readonly upTo: number
}

class Receipt implements AppliedReceipt {
  readonly user: string
  readonly device: string
  readonly kind: AppliedReceipt['kind']
  readonly previous: number
  readonly upTo: number
  readonly at: number
  readonly #state: ApplicationState
  readonly #conversation: Conversation

  constructor(
    state: ApplicationState,
    conversation: Conversation,
    { user, device, kind }: CursorAck,
    { previous, upTo }: Moved,
    at: number,
  ) {
    this.#state = state
    this.#conversation = conversation
    this.user = user
    this.device = device
    this.kind = kind
    this.previous = previous
    this.upTo = upTo
    this.at = at
  }

  get conversation(): AppliedConversation {
    return this.#conversation
  }

  writers(): ReadonlySet<string> | null {
    const { previous, upTo } = this
    const conversation = this.#conversation
    if (upTo - previous > MAX_WRITERS_WALK) return null
    const writers = new Set<string>()
    for (let seq = upTo; seq > previous; seq -= 1) {
      const number = conversation.hotNumber(seq)
      if (number < 0) return null
      writers.add(this.#state.hot.get(number).view.user)
    }
    return writers
  }
}

/** The newest seq up to `upTo` that exists and that the member may see; 0 if there is none. */
function lastVisible({ visible }: Member, upTo: number, head: number): number {
  for (let i = visible.length - 2; i >= 0; i -= 2) {
    const last = Math.min(visible[i + 1]!, upTo, head)
    if (last >= visible[i]!) return last
  }
  return 0
}
