import { type EditRequest, type ReactRequest, type RecallRequest, wireError } from '#protocol'
import { CommandKind } from '../../state-machine/commands.ts'
import type { Submission } from '../backend.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'

/** Edits, recalls and reactions: writes like any other; who may do what is for apply (A5). */
export function handleTarget(
  request: PendingRequest,
  frame: EditRequest | RecallRequest | ReactRequest,
  context: GatewayContext,
): void {
  const { session } = request
  const { id, msgId } = frame
  session.writeStarted(msgId)
  context.backend.submit(submissionOf(session, frame), (result) => {
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
    request.answer({ t: 'msg:A', id, msgId, conv, seq, at, ord, duplicate, inbox, now })
  })
}

function submissionOf(
  { user, device }: { readonly user: string; readonly device: string },
  frame: EditRequest | RecallRequest | ReactRequest,
): Submission {
  const { msgId, conv, seq: target } = frame
  const prev = frame.prev ?? null
  const since = frame.since ?? null
  const common = { user, device, msgId, prev, since, conv, target }
  switch (frame.t) {
    case 'edit:R':
      return { kind: CommandKind.edit, ...common, body: frame.body }
    case 'recall:R':
      return { kind: CommandKind.recall, ...common }
    case 'react:R':
      return { kind: CommandKind.reaction, ...common, reaction: frame.reaction, on: frame.on }
  }
}
