import { type CancelRequest, wireError } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import { CommandKind } from '../../state-machine/commands.ts'

/**
 * Records a refusal under the message's key (rule A5): from then on every copy of it is refused. If
 * the message was first, the answer says where it stands.
 */
export function handleCancel(
  request: PendingRequest,
  frame: CancelRequest,
  context: GatewayContext,
): void {
  const { session } = request
  context.backend.submit(
    {
      kind: CommandKind.refuse,
      user: session.user,
      device: session.device,
      msgId: frame.msgId,
      prev: null,
      since: null,
      conv: frame.conv,
      code: 'CANCELLED',
    },
    (result) => {
      if ('error' in result) request.fail(result.error)
      else if (result.ok) {
        request.answer({ t: 'cancel:A', id: frame.id, seq: result.seq, at: result.at })
      } else if (result.code === 'CANCELLED') {
        request.answer({ t: 'cancel:A', id: frame.id, cancelled: true })
      } else {
        request.fail(wireError(result.code, result.message))
      }
    },
  )
}
