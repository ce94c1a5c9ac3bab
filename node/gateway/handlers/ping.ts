import type { PingRequest } from '#protocol'
import type { GatewayContext } from '../gateway-context.ts'
import type { PendingRequest } from '../pending-request.ts'

export function handlePing(
  request: PendingRequest,
  frame: PingRequest,
  context: GatewayContext,
): void {
  request.answer({
    t: 'ping:A',
    id: frame.id,
    inbox: null,
    now: context.backend.state.logTime,
  })
}
