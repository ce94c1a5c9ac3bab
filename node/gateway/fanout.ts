import { encodeFrame, type EncodedFrame, type MessageNotice } from '#protocol'
import type { AppliedConversation, ConversationEvent } from '../state-machine/types.ts'
import type { GatewayContext } from './gateway-context.ts'
import { wireEvent } from './handlers/wire-event.ts'
import type { Session } from './session.ts'

/**
 * Pushes an applied event to the sessions of the conversation's members on this node. Each form of
 * it is encoded at most once, and only when the first session wants it: an event nobody here waits
 * for costs a look-up per member.
 */
export class Fanout {
  readonly #context: GatewayContext
  #conversation: AppliedConversation | null = null
  #event: ConversationEvent | null = null
  #full: Record<string, EncodedFrame> = {}
  #bare: Record<string, EncodedFrame> = {}

  constructor(context: GatewayContext) {
    this.#context = context
  }

  /** Called during apply: queues, never writes. */
  onEvent(conversation: AppliedConversation, event: ConversationEvent): void {
    if (this.#context.registry.size === 0) return
    this.#conversation = conversation
    this.#event = event
    this.#full = {}
    this.#bare = {}
    conversation.forEachMember(this.#visit)
    this.#context.failpoints.hit('gateway.pushQueued')
    this.#conversation = null
    this.#event = null
  }

  readonly #visit = (user: string): void => {
    const sessions = this.#context.registry.of(user)
    if (sessions === undefined) return
    const event = this.#event as ConversationEvent
    const { id: conv } = this.#conversation as AppliedConversation
    const { pushed } = this.#context.metrics
    for (const session of sessions) {
      if (isSender(session, event)) continue
      if (session.wantsNotify) {
        pushed.notify.add()
        session.pushEvent(conv, event.seq, this.#bareFrame(session, conv, event))
      } else {
        pushed.full.add()
        session.pushEvent(conv, event.seq, this.#fullFrame(session, conv, event))
      }
    }
  }

  #fullFrame(session: Session, conv: string, event: ConversationEvent): EncodedFrame {
    const { subprotocol } = session.connection
    return (this.#full[subprotocol] ??= encodeFrame(
      { t: 'msg:N', conv, ...wireEvent(event) } satisfies MessageNotice,
      subprotocol,
    ))
  }

  #bareFrame(session: Session, conv: string, event: ConversationEvent): EncodedFrame {
    const { subprotocol } = session.connection
    return (this.#bare[subprotocol] ??= encodeFrame(
      { t: 'msg:N', conv, seq: event.seq },
      subprotocol,
    ))
  }
}

/** The one session that learns of the event by its `msg:A`. Other devices of the sender are pushed to. */
function isSender(session: Session, event: ConversationEvent): boolean {
  return (
    session.device === event.device && session.user === event.from && session.awaits(event.msgId)
  )
}
