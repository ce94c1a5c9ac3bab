import { type RequestFrame, type WireError, wireError } from '#protocol'
import type { Role } from './auth.ts'

/** What changes nothing but the reader's own cursors. */
const READS: ReadonlySet<RequestFrame['t']> = new Set([
  ...(['hello:R', 'sync:R', 'pull:R', 'ping:R', 'ack:R'] as const),
])
const READING_OPERATIONS: ReadonlySet<string> = new Set(['get', 'list', 'receipts'])

/** Why who has this role may not send the frame, by the role alone; `null` if it may. */
export function roleRefusal(role: Role, frame: RequestFrame): WireError | null {
  if (role !== 'viewer' || READS.has(frame.t)) return null
  if (frame.t === 'conv:R' && READING_OPERATIONS.has(frame.op)) return null
  return wireError('FORBIDDEN', 'A viewer reads and writes nothing.')
}
