import type { EditRequest, ReactRequest, RecallRequest } from '#protocol'
import { CommandKind } from '../../state-machine/commands.ts'
import type { Submission } from '../backend.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'
import { submitWrite } from './submit-write.ts'

/** Edits, recalls and reactions: writes like any other; who may do what is for apply (A5). */
export function handleTarget(
  request: PendingRequest,
  frame: EditRequest | RecallRequest | ReactRequest,
  context: GatewayContext,
): void {
  submitWrite(request, submissionOf(request.session, frame), context)
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
