import { type SignalRequest, type WireError, wireError } from '#protocol'
import { directConversationId } from '../../state-machine/conversation-id.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import type { Session } from '../session.ts'
import { notServing, reachNewest } from './read-position.ts'

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
  let refusal = await refusalOf(frame, user, context)
  // A node that lags refuses nobody: it may not know yet of a conversation, a joining, an unblock.
  if (refusal !== null) {
    refusal = (await reachNewest(context)) ?? (await refusalOf(frame, user, context))
  }
  if (refusal !== null) return request.fail(refusal)
  const ttlMs = Math.min(frame.ttlMs ?? 0, context.options.maxSignalTtlMs)
  const { startedAt } = session.signals
  context.backend.publish({
    conv,
    to,
    from: user,
    device,
    session: startedAt.logTime,
    sessionWall: startedAt.wallMs,
    n,
    ttlMs,
    name,
    body,
  })
  request.answer({ t: 'signal:A', id: frame.id })
}

/** What this node knows against the signal, `null` for nothing. */
async function refusalOf(
  { conv, to }: SignalRequest,
  user: string,
  { backend: { state } }: GatewayContext,
): Promise<WireError | null> {
  const conversation = await state.conversation(conv ?? directConversationId(user, to!))
  // Of a direct conversation, whichever way it is named.
  const isBlocked =
    conversation?.kind === 'direct' &&
    conversation.members.some((other) => other.user !== user && other.blocks)
  const blocked = isBlocked ? wireError('USER_BLOCKED', 'The other side has blocked you.') : null
  if (conv === undefined) return blocked
  if (conversation === null) return wireError('GROUP_NOT_FOUND', 'There is no such conversation.')
  if (!(await state.isMember(conv, user))) {
    return wireError('NOT_MEMBER', 'Only members signal to a conversation.')
  }
  if (!conversation.large) return blocked
  const message = 'A large conversation carries no signals: they would go to everybody in it.'
  return wireError('FORBIDDEN', message)
}
