import { type MessageRequest, wireError } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest, Requester } from '../pending-request.ts'
import { CommandKind } from '../../state-machine/commands.ts'

/** Hands the write on in arrival order; everything that is not in the frame is for apply (A5). */
export function handleMessage(
  request: PendingRequest<Requester>,
  frame: MessageRequest,
  context: GatewayContext,
): void {
  const { session } = request
  // The callback must not hold the frame: see PendingRequest.
  const { id, msgId } = frame
  context.failpoints.hit('gateway.frameReceived')
  session.writeStarted(msgId)
  context.backend.submit(
    {
      kind: CommandKind.message,
      user: session.user,
      device: session.device,
      msgId,
      prev: frame.prev ?? null,
      since: frame.since ?? null,
      conv: frame.conv ?? null,
      to: frame.to ?? null,
      replyTo: frame.replyTo ?? null,
      large: frame.large ?? false,
      body: frame.body,
    },
    (result) => {
      context.failpoints.hit('gateway.resultKnown')
      session.writeSettled(msgId)
      if ('error' in result) {
        request.fail(result.error)
        return
      }
      if (!result.ok) {
        request.fail(wireError(result.code, result.message))
        return
      }
      if (result.duplicate) context.metrics.duplicates.add()
      else context.metrics.accepted.add()
      request.answer({
        t: 'msg:A',
        id,
        msgId,
        conv: result.conv,
        seq: result.seq,
        at: result.at,
        ord: result.ord,
        duplicate: result.duplicate,
        inbox: result.inbox,
        now: result.now,
      })
    },
  )
}
