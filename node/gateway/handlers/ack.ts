import type { AckRequest } from '#protocol'
import { wireError } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import { notServing } from './read-position.ts'

/** Answered once this node has applied the cursors (rule B5). */
export function handleAck(
  request: PendingRequest,
  frame: AckRequest,
  context: GatewayContext,
): void {
  const { id } = request
  const refusal = notServing(context)
  if (refusal !== null) return request.fail(refusal)
  const { session } = request
  if (frame.inbox !== undefined) session.push.acknowledged(frame.inbox)
  for (const { conv, upTo } of frame.acks) session.known.reached(conv, upTo)
  void context.receipts.ack(session, frame.acks, frame.inbox ?? null).then(
    (error) => {
      if (error === null) request.answer({ t: 'ack:A', id })
      else request.fail(error)
    },
    (error: unknown) => {
      context.logger.error('ack.failed', { error })
      request.fail(wireError('INTERNAL', 'The node failed to look up the acks. See its log.'))
    },
  )
}
