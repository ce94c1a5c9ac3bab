import { type PingRequest, wireError } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'

/**
 * How far the user's inbox and large conversations have come (rule B3), so that a client that missed
 * everything pushed to it learns from the answer alone what to sync and pull.
 */
export function handlePing(
  request: PendingRequest,
  frame: PingRequest,
  context: GatewayContext,
): void {
  answer(request, frame, context).catch((error: unknown) => {
    context.logger.error('read.failed', { request: request.type, error })
    request.fail(wireError('INTERNAL', 'The node failed to read. See its log.'))
  })
}

async function answer(
  request: PendingRequest,
  frame: PingRequest,
  context: GatewayContext,
): Promise<void> {
  const { session } = request
  const { backend, options } = context
  const { state } = backend
  if (frame.inbox !== undefined) session.push.acknowledged(frame.inbox)
  const inbox = await state.inboxHead(session.user)
  const all =
    inbox === null
      ? // Nothing takes numbers any more: every conversation goes by its head.
        (await state.headsOf(session.user, options.maxSyncedConversations)).map(({ id, head }) => ({
          conv: id,
          seq: head,
        }))
      : await state.largeHeads(session.user)
  // What is beyond is named by a later ping: then these are known.
  const heads = all
    .filter(({ conv, seq }) => seq > session.known.of(conv))
    .slice(0, options.maxSyncedConversations)
  request.answer({
    t: 'ping:A',
    id: frame.id,
    inbox,
    heads: heads.length === 0 ? undefined : heads,
    now: state.logTime,
  })
}
