import { EventKind, type StateReader } from '../state-machine/types.ts'

/** Further back nobody looks for what a device lacks. */
const MAX_LOOKED_AT = 100

export interface LackingMessage {
  readonly inbox: number
  readonly conv: string
  readonly seq: number
}

/**
 * The newest message of somebody else that stands in the user's inbox above `told` and that the
 * device has not acknowledged; `null`: there is nothing to call it for.
 */
export async function lackingMessage(
  state: StateReader,
  user: string,
  device: string,
  told: number,
): Promise<LackingMessage | null> {
  const head = await state.inboxHead(user)
  if (head === null || head <= told) return null
  const devices = await state.devicesOf(user)
  const reached = devices.find((each) => each.device === device)?.inbox ?? 0
  const after = Math.max(told, reached, head - MAX_LOOKED_AT)
  if (head <= after) return null
  const { entries } = await state.inboxAfter(user, after, MAX_LOOKED_AT)
  const found = entries.findLast(({ event }) => {
    const isThere = event !== null && !event.recalled && !event.expired
    return isThere && event.kind === EventKind.message && event.from !== user
  })
  return found === undefined ? null : { inbox: found.inbox, conv: found.conv, seq: found.seq }
}
