import { type SignalRequest, type WireError, wireError } from '#protocol'
import { directConversationId } from '../../state-machine/conversation-id.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import type { Session } from '../session.ts'
import { notServing } from './read-position.ts'

/**
 * Takes a signal (rule B8). The answer says that, and nothing of its delivery. Checks of one session
 * are made one after the other, so that its signals leave in its order.
 */
export function handleSignal(
  request: PendingRequest,
  frame: SignalRequest,
  context: GatewayContext,
): void {
  const refusal = notServing(context) ?? tooMuch(request.session, frame, context)
  if (refusal !== null) return request.fail(refusal)
  const taken = request.session.signals.inOrder(() => check(request, frame, context))
  if (!taken) request.fail(wireError('OVERLOADED', 'Too many signals wait; send them again later.'))
}

function tooMuch(
  session: Session,
  { body }: SignalRequest,
  { clock, options }: GatewayContext,
): WireError | null {
  if (body.length > options.maxSignalBytes) {
    const most = options.maxSignalBytes
    return wireError('PAYLOAD_TOO_LARGE', `A signal's body has ${most} bytes at most.`)
  }
  const retryAfterMs = session.signals.waitMs(clock.monotonicMs())
  if (retryAfterMs === 0) return null
  const message = `A session sends ${options.signalsPerSecond} signals a second at most.`
  return wireError('RATE_LIMITED', message, { retryAfterMs })
}

async function check(
  request: PendingRequest,
  frame: SignalRequest,
  context: GatewayContext,
): Promise<void> {
  const { session } = request
  const { user, device } = session
  const { conv = null, to = null, name, body, n } = frame
  const { state } = context.backend
  if (conv !== null) {
    const conversation = await state.conversation(conv)
    const isMember = conversation !== null && (await state.isMember(conv, user))
    // A node that lags refuses nobody: it may not know yet of a conversation or a joining.
    if (!isMember) {
      const message = 'You are not a member of this conversation, as far as this node knows yet.'
      return request.fail(wireError('NOT_MEMBER', message))
    }
    if (conversation.large) {
      const message = 'A large conversation carries no signals: they would go to everybody in it.'
      return request.fail(wireError('FORBIDDEN', message))
    }
  } else {
    const direct = await state.conversation(directConversationId(user, to!))
    if (direct?.members.some((member) => member.user === to && member.blocks) === true) {
      return request.fail(wireError('USER_BLOCKED', 'The other side has blocked you.'))
    }
  }
  const ttlMs = Math.min(frame.ttlMs ?? 0, context.options.maxSignalTtlMs)
  const { startedAt } = session.signals
  context.backend.publish({
    conv,
    to,
    from: user,
    device,
    session: startedAt,
    n,
    ttlMs,
    name,
    body,
  })
  request.answer({ t: 'signal:A', id: frame.id })
}
