import type { MessageRequest } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest, Requester } from '../pending-request.ts'
import { CommandKind } from '../../state-machine/commands.ts'
import { submitWrite } from './submit-write.ts'

/** Everything that is not in the frame is for apply (A5). */
export function handleMessage(
  request: PendingRequest<Requester>,
  frame: MessageRequest,
  context: GatewayContext,
): void {
  const { user, device } = request.session
  context.failpoints.hit('gateway.frameReceived')
  submitWrite(
    request,
    {
      kind: CommandKind.message,
      user,
      device,
      msgId: frame.msgId,
      prev: frame.prev ?? null,
      since: frame.since ?? null,
      conv: frame.conv ?? null,
      to: frame.to ?? null,
      replyTo: frame.replyTo ?? null,
      large: frame.large ?? false,
      body: frame.body,
    },
    context,
  )
}
