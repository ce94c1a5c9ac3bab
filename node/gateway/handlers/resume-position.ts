import { type HelloRequest, type WireError, wireError } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import { reachNewest } from './read-position.ts'

/** Where a session begins in its user's inbox. */
export interface InboxPosition {
  /** The last inbox number that the client has; 0 if it names none, or one of another epoch. */
  readonly from: number
  /** The inbox's newest number; `null`: the numbers ran out. */
  readonly head: number | null
  /** Applied index as of which `head` holds. */
  readonly index: number
}

/** `BEHIND` if the client knows of more than this node does (rule B2). */
export async function resumePosition(
  { resume }: HelloRequest,
  user: string,
  context: GatewayContext,
): Promise<InboxPosition | WireError> {
  const { backend } = context
  const from = resume?.epoch === backend.epoch ? (resume.inbox ?? 0) : 0
  const known = await readPosition(from, user, context)
  if (isReached(known)) return known
  const late = await reachNewest(context)
  if (late !== null) return late
  const newest = await readPosition(from, user, context)
  if (isReached(newest)) return newest
  const message = `This node has applied your inbox up to ${newest.head}, not ${from}.`
  return wireError('BEHIND', message, { leader: backend.leader() })
}

async function readPosition(
  from: number,
  user: string,
  { backend: { state } }: GatewayContext,
): Promise<InboxPosition> {
  const index = state.appliedIndex
  return { from, head: await state.inboxHead(user), index }
}

function isReached({ from, head }: InboxPosition): boolean {
  return head === null || from <= head
}
