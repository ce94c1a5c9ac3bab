import { encodeFrame, type EncodedFrame, type MessageNotice, type Subprotocol } from '#protocol'
import type { AppliedConversation, ConversationEvent } from '../state-machine/types.ts'
import type { GatewayContext } from './gateway-context.ts'
import { wireEvent } from './handlers/wire-event.ts'
import type { ToldEvent } from './session-push.ts'
import type { Session } from './session.ts'

/**
 * Tells an applied event to the sessions of the conversation's members on this node. Each form of it
 * is encoded at most once, and only when the first session wants it: an event nobody here waits for
 * costs a look-up per member, in a large conversation one per user with a session here.
 */
export class Fanout implements ToldEvent {
  readonly #context: GatewayContext
  #conversation: AppliedConversation | null = null
  #event: ConversationEvent | null = null
  #full: Record<string, EncodedFrame> = {}
  #bare: Record<string, EncodedFrame> = {}
  #told = 0

  constructor(context: GatewayContext) {
    this.#context = context
  }

  /** Called during apply: queues, never writes. */
  onEvent(conversation: AppliedConversation, event: ConversationEvent): void {
    const { registry, metrics, clock } = this.#context
    if (registry.size === 0) return
    this.#conversation = conversation
    this.#event = event
    this.#full = {}
    this.#bare = {}
    this.#told = 0
    if (conversation.large && registry.users < conversation.memberCount) {
      registry.forEachUser(this.#visitUser)
    } else conversation.forEachMember(this.#visitMember)
    this.#context.failpoints.hit('gateway.pushQueued')
    this.#conversation = null
    this.#event = null
    metrics.fanout.observe(this.#told)
    if (this.#told === 0) return
    metrics.deliveryLatency.observe(Math.max(0, clock.wallMs() - event.at) / 1_000)
  }

  get conv(): string {
    return (this.#conversation as AppliedConversation).id
  }

  get seq(): number {
    return (this.#event as ConversationEvent).seq
  }

  get large(): boolean {
    return (this.#conversation as AppliedConversation).large
  }

  full(subprotocol: Subprotocol): EncodedFrame {
    return (this.#full[subprotocol] ??= encodeFrame(
      {
        t: 'msg:N',
        conv: this.conv,
        ...wireEvent(this.#event as ConversationEvent),
      } satisfies MessageNotice,
      subprotocol,
    ))
  }

  bare(subprotocol: Subprotocol): EncodedFrame {
    const { conv, seq } = this
    return (this.#bare[subprotocol] ??= encodeFrame({ t: 'msg:N', conv, seq }, subprotocol))
  }

  readonly #visitMember = (user: string, inbox: number | null): void => {
    const sessions = this.#context.registry.of(user)
    if (sessions !== undefined) this.#tell(sessions, inbox)
  }

  readonly #visitUser = (user: string, sessions: readonly Session[]): void => {
    if ((this.#conversation as AppliedConversation).isMember(user)) this.#tell(sessions, null)
  }

  #tell(sessions: readonly Session[], inbox: number | null): void {
    const event = this.#event as ConversationEvent
    this.#told += sessions.length
    for (const session of sessions) session.push.event(this, inbox, isSender(session, event))
  }
}

/** The one session that learns of the event by `msg:A`. Other devices of the sender are pushed to. */
function isSender(session: Session, event: ConversationEvent): boolean {
  return (
    session.device === event.device && session.user === event.from && session.awaits(event.msgId)
  )
}
