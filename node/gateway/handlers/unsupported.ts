import { wireError } from '#protocol'
import type { PendingRequest } from '../pending-request.ts'

/** Known frames that this version of the node does not serve. */
export function handleUnsupported(request: PendingRequest): void {
  request.fail(wireError('UNSUPPORTED', `${request.type} is not served by this node.`))
}
