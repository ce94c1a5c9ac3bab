import type { ApplicationState } from './application-state.ts'
import { userInbox } from './inbox-page.ts'
import { INBOX_KEYS } from './keys.ts'
import type { InboxPosition } from './types.ts'
import { LAST_INBOX, UserInbox } from './user-inbox.ts'

/**
 * How far the inboxes of users and their devices are, in the order of the store's keys, after a user
 * or `null`: those of at most `limit` users that the store holds, as memory has them if it does. Who
 * came since the newest cut is not among them: `newcomers` names him.
 */
export async function readInboxPositions(
  state: ApplicationState,
  after: string | null,
  limit: number,
): Promise<{ readonly positions: readonly InboxPosition[]; readonly next: string | null }> {
  const { from, to, userOf, behind } = INBOX_KEYS
  const positions: InboxPosition[] = []
  const range = state.store.range(after === null ? from : behind(after), to, { limit })
  for await (const { key, value } of range) {
    const user = userOf(key)
    positions.push(positionOf(state.users.inboxes.peek(user) ?? UserInbox.decode(user, value)))
  }
  return { positions, next: positions.length < limit ? null : positions.at(-1)!.user }
}

/** Of users by name; of somebody without conversations an empty one. */
export async function readInboxPositionsOf(
  state: ApplicationState,
  users: readonly string[],
): Promise<readonly InboxPosition[]> {
  return Promise.all(users.map(async (user) => positionOf(await userInbox(state, user))))
}

function positionOf({ id, head, devices }: UserInbox): InboxPosition {
  return { user: id, head: Math.min(head, LAST_INBOX), devices }
}
