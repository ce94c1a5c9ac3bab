import { wireError } from '../protocol/error-codes.ts'
import type { AckNotice, AckRequest, ServerFrame, SignalRequest } from '../protocol/frames.ts'
import type { FakeSession } from './fake-cluster.ts'
import { fail, type StoredConversation } from './fake-conversation.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** Rule B5 without the collecting: who has how much, told to the others at once. */
export class FakeReceipts {
  readonly #clock: VirtualClock
  readonly #sessions: readonly FakeSession[]
  readonly #send: (session: FakeSession, frame: ServerFrame) => void
  /** Whether senders hear anything of what they sent. */
  areTold = true

  constructor(
    clock: VirtualClock,
    sessions: readonly FakeSession[],
    send: (session: FakeSession, frame: ServerFrame) => void,
  ) {
    this.#clock = clock
    this.#sessions = sessions
    this.#send = send
  }

  acknowledge(
    session: FakeSession,
    { id: conv, members, events, receipts }: StoredConversation,
    { upTo, kind }: AckRequest['acks'][number],
  ): void {
    const to = Math.min(upTo, events.length)
    const before = receipts.get(session.user) ?? { delivered: 0, read: 0 }
    const after = {
      delivered: Math.max(before.delivered, to),
      read: kind === 'read' ? Math.max(before.read, to) : before.read,
    }
    receipts.set(session.user, after)
    if (after[kind] === before[kind]) return
    for (const other of this.#sessions) {
      if (other === session || !members.has(other.user)) continue
      this.#tell(other, { conv, kind, upTo: to, by: session.user })
    }
  }

  /** Of what nobody has after two seconds the sender hears that it is kept. */
  accepted(session: FakeSession, { id: conv, receipts }: StoredConversation, seq: number): void {
    this.#clock.after(2000, () => {
      const others = [...receipts].filter(([user]) => user !== session.user)
      if (others.some(([, { delivered }]) => delivered >= seq)) return
      if (session.isOpen) this.#tell(session, { conv, kind: 'stored', upTo: seq })
    })
  }

  /** Somebody waits for a receipt: it may have been lost. */
  tellAgain(session: FakeSession, { id: conv, receipts }: StoredConversation): void {
    for (const [by, receipt] of receipts) {
      if (by === session.user) continue
      for (const kind of ['delivered', 'read'] as const) {
        const upTo = receipt[kind]
        if (upTo > 0) this.#tell(session, { conv, kind, upTo, by })
      }
    }
  }

  /** Like a receipt it is for whoever is connected: at most once. */
  signal(
    session: FakeSession,
    frame: SignalRequest,
    conversations: ReadonlyMap<string, StoredConversation>,
  ): ServerFrame {
    const { id, conv, to, name, body } = frame
    const members = conv === undefined ? new Set([to!]) : conversations.get(conv)?.members
    if (members === undefined || (conv !== undefined && !members.has(session.user))) {
      return fail(frame, wireError('NOT_MEMBER', 'no'))
    }
    const { user: from, device } = session
    for (const other of this.#sessions) {
      if (other === session || !members.has(other.user)) continue
      this.#send(other, { t: 'signal:N', conv, from, device, name, body })
    }
    return { t: 'signal:A', id }
  }

  #tell(session: FakeSession, receipt: Omit<AckNotice, 't' | 'at'>): void {
    if (this.areTold) this.#send(session, { t: 'ack:N', at: this.#clock.wallMs(), ...receipt })
  }
}
