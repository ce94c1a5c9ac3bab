import type { ApplicationState } from './application-state.ts'
import { conversationsFor } from './conversation-list.ts'
import { userInbox } from './inbox-page.ts'

/**
 * Of each conversation that left events out of the user's inbox (rule B3), the newest such event
 * that he may see: what a device must have, beside the inbox, to have everything.
 */
export async function largeHeads(
  state: ApplicationState,
  user: string,
): Promise<{ conv: string; seq: number }[]> {
  const { large } = await userInbox(state, user)
  if (large.length === 0) return []
  const conversations = await conversationsFor(state, await state.numbers.ids(large), user)
  return conversations.flatMap(({ id, unlisted, members }) => {
    const visible = members.find(user)?.visible ?? []
    const seq = Math.min(unlisted, visible.at(-1) ?? 0)
    return seq === 0 ? [] : [{ conv: id, seq }]
  })
}
