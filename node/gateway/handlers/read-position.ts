import { type WireError, wireError } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import { parseMark } from '../mark.ts'

/** Why this node serves nobody at present, or `null`. */
export function notServing(context: GatewayContext): WireError | null {
  const { backend } = context
  const { ready, reasons, serving = ready } = backend.readiness()
  if (serving) return null
  const leader = backend.leader()
  const because = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`
  return leader === null
    ? wireError('NO_LEADER', `This node knows no leader yet${because}.`, { leader })
    : wireError('BEHIND', `This node is not ready${because}.`, { leader })
}

/**
 * Waits until this node has applied what `mark` states (rule B2). A mark of another epoch binds
 * nothing: the client learns of the new epoch from `hello:A` (rule K8). `null`: go on.
 */
export function reachMark(
  mark: string | undefined,
  context: GatewayContext,
): WireError | null | Promise<WireError | null> {
  if (mark === undefined) return null
  const position = parseMark(mark)
  if (position === null)
    return wireError('INVALID_MESSAGE', 'mark is not one that a node gave out.')
  if (position.epoch !== context.backend.epoch) return null
  return reachIndex(position.index, context)
}

function reachIndex(
  index: number,
  context: Pick<GatewayContext, 'backend' | 'options'>,
): WireError | null | Promise<WireError | null> {
  const { backend, options } = context
  if (backend.state.appliedIndex >= index) return null
  return backend.waitApplied(index, options.markTimeoutMs).then((reached) =>
    reached
      ? null
      : wireError('BEHIND', 'This node has not applied as far as the mark; ask the leader.', {
          leader: backend.leader(),
        }),
  )
}

/**
 * Waits until this node has applied everything that was acknowledged anywhere before the call. A node
 * that lags does not know of the newest conversations and members: what it does not know it may not
 * refuse for good (rule A5).
 */
export async function reachNewest(
  context: Pick<GatewayContext, 'backend' | 'options'>,
): Promise<WireError | null> {
  const position = await context.backend.readIndex()
  return 'error' in position ? position.error : reachIndex(position.index, context)
}
