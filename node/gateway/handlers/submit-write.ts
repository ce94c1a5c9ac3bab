import { wireError } from '#protocol'
import { CommandKind } from '../../state-machine/commands.ts'
import type { Submission } from '../backend.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest, Requester } from '../pending-request.ts'

/** Hands a write on in arrival order, and answers with what the log says of it. */
export function submitWrite(
  request: PendingRequest<Requester>,
  write: Submission,
  context: GatewayContext,
): void {
  // The callback must not hold the body: see PendingRequest.
  const { session, id } = request
  const { msgId } = write
  const isMessage = write.kind === CommandKind.message
  session.writeStarted(msgId)
  context.backend.submit(write, (result) => {
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
    const { conv, seq, at, ord, duplicate, inbox, now } = result
    if (isMessage) (duplicate ? context.metrics.duplicates : context.metrics.accepted).add()
    request.answer({ t: 'msg:A', id, msgId, conv, seq, at, ord, duplicate, inbox, now })
  })
}
