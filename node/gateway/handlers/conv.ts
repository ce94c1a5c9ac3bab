import { type ConversationRequest, type WireError, wireError } from '#protocol'
import { CommandKind, type ConversationOperation } from '../../state-machine/commands.ts'
import { directConversationId } from '../../state-machine/conversation-id.ts'
import type { ConversationView, StateReader, WriteResult } from '../../state-machine/types.ts'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest, Requester } from '../pending-request.ts'
import { formatListPosition, parseListPosition } from './list-position.ts'
import { notServing, reachNewest } from './read-position.ts'
import { readPolicyValue } from './retention-policy.ts'
import { wireConversation } from './wire-event.ts'
import { wireReceipts } from './wire-receipts.ts'

type GetFrame = Extract<ConversationRequest, { op: 'get' | 'receipts' }>
type ListFrame = Extract<ConversationRequest, { op: 'list' }>
type WriteFrame = Extract<ConversationRequest, { msgId: string }>

export function handleConversation(
  request: PendingRequest<Requester>,
  frame: ConversationRequest,
  context: GatewayContext,
): void {
  const { session } = request
  if (frame.op === 'get' || frame.op === 'receipts') {
    const seq = frame.op === 'receipts' ? frame.seq : null
    session.read(request, () => get(request, frame, seq, context))
  } else if (frame.op === 'list') session.read(request, () => list(request, frame, context))
  else write(request, frame, context)
}

/** `seq`: with receipts, seen from there. */
async function get(
  request: PendingRequest<Requester>,
  frame: GetFrame,
  seq: number | null,
  context: GatewayContext,
): Promise<void> {
  const refusal = notServing(context)
  if (refusal !== null) return request.fail(refusal)
  const { user } = request.session
  let view = await find(frame, user, context)
  if ('code' in view) {
    const unsure = await reachNewest(context)
    view = unsure ?? (await find(frame, user, context))
  }
  if ('code' in view) return request.fail(view)
  const conversation = wireConversation(view, user)
  const receipts = seq === null ? undefined : await wireReceipts(context.backend.state, view, seq)
  request.answer({ t: 'conv:A', id: request.id, conversation, receipts })
}

async function find(
  frame: GetFrame,
  user: string,
  { backend }: GatewayContext,
): Promise<ConversationView | WireError> {
  const { conv } = frame
  const membersFrom = frame.op === 'get' ? frame.membersFrom : undefined
  const view = await backend.state.conversation(conv, membersFrom)
  if (view === null) return wireError('GROUP_NOT_FOUND', 'There is no such conversation.')
  if (await isMember(view, user, backend.state)) return view
  return wireError('NOT_MEMBER', 'Only members see a conversation.')
}

async function list(
  request: PendingRequest<Requester>,
  { limit, after }: ListFrame,
  context: GatewayContext,
): Promise<void> {
  const { backend, options } = context
  const refusal = notServing(context)
  if (refusal !== null) return request.fail(refusal)
  const most = Math.min(limit ?? options.maxListedConversations, options.maxListedConversations)
  const { user } = request.session
  const from = after === undefined ? null : parseListPosition(after)
  if (from === null && after !== undefined) {
    const message = 'after must be the next of an earlier list, as it was given.'
    return request.fail(wireError('INVALID_MESSAGE', message))
  }
  const page = await backend.state.conversationsOf(user, most, from)
  request.answer({
    t: 'conv:A',
    id: request.id,
    conversations: page.conversations.map((view) => wireConversation(view, user)),
    next: page.next === null ? undefined : formatListPosition(page.next),
  })
}

function write(
  request: PendingRequest<Requester>,
  frame: WriteFrame,
  context: GatewayContext,
): void {
  const { session } = request
  const { msgId } = frame
  const operation = operationOf(frame, session.user)
  if (typeof operation === 'string') {
    request.fail(wireError('INVALID_MESSAGE', operation))
    return
  }
  context.backend.submit(
    {
      kind: CommandKind.conversation,
      user: session.user,
      device: session.device,
      msgId,
      prev: frame.prev ?? null,
      since: frame.since ?? null,
      conv: operation.op === 'block' || operation.op === 'unblock' ? '' : conversationOf(frame),
      operation,
    },
    (result) => {
      if ('error' in result) request.fail(result.error)
      else if (!result.ok) request.fail(wireError(result.code, result.message))
      else session.read(request, () => answerWrite(request, result, context))
    },
  )
}

/** The conversation as it is now, for a member; who has left sees only that the write was taken. */
async function answerWrite(
  request: PendingRequest<Requester>,
  result: Extract<WriteResult, { ok: true }>,
  context: GatewayContext,
): Promise<void> {
  const view = await context.backend.state.conversation(result.conv)
  const { user } = request.session
  const isHis = view !== null && (await isMember(view, user, context.backend.state))
  request.answer({
    t: 'conv:A',
    id: request.id,
    conversation: isHis ? wireConversation(withoutMany(view), user) : undefined,
    msgId: result.msgId,
    seq: result.seq,
    duplicate: result.duplicate,
    now: result.now,
  })
}

/** Who changes a large group member by member is not told hundreds of them each time. */
function withoutMany(view: ConversationView): ConversationView {
  return view.large ? { ...view, members: [], nextMembers: 0 } : view
}

/** Of a large conversation the view names some members only. */
async function isMember(
  view: ConversationView,
  user: string,
  state: StateReader,
): Promise<boolean> {
  if (view.large) return state.isMember(view.id, user)
  return view.members.some((member) => member.user === user)
}

const conversationOf = (frame: WriteFrame): string => ('conv' in frame ? (frame.conv ?? '') : '')

/** Or a sentence about what the frame alone shows to be wrong. */
function operationOf(frame: WriteFrame, user: string): ConversationOperation | string {
  switch (frame.op) {
    case 'create':
      return {
        op: 'create',
        members: frame.members,
        name: frame.name ?? null,
        meta: frame.meta ?? null,
      }
    case 'direct':
      return { op: 'direct', with: frame.with }
    case 'add':
      return { op: 'add', member: frame.user, role: frame.role ?? 'member' }
    case 'remove':
      return { op: 'remove', member: frame.user }
    case 'role':
      return { op: 'role', member: frame.user, role: frame.role }
    case 'leave':
      return { op: 'leave' }
    case 'set': {
      const retention = frame.retention === undefined ? undefined : readPolicyValue(frame.retention)
      if (typeof retention === 'string') return retention
      return {
        op: 'set',
        ...(frame.name === undefined ? {} : { name: frame.name }),
        ...(frame.meta === undefined ? {} : { meta: isNil(frame.meta) ? null : frame.meta }),
        ...(retention === undefined ? {} : { retention }),
        ...(frame.history === undefined ? {} : { history: frame.history }),
      }
    }
    case 'block':
    case 'unblock':
      if (frame.conv !== undefined && frame.conv !== directConversationId(user, frame.user)) {
        return `${frame.op} is about your direct conversation with the user: leave conv out.`
      }
      return { op: frame.op, member: frame.user }
  }
}

/** msgpack nil: the metadata is removed. */
function isNil(value: Uint8Array): boolean {
  return value.length === 1 && value[0] === 0xc0
}
