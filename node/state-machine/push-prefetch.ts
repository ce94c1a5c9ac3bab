import type { ApplicationState } from './application-state.ts'
import { CommandKind } from './commands.ts'
import type { PreparedEntry } from './prepared-entry.ts'

/** Ids of the blocks that the entry may change and memory does not hold; `null` if there are none. */
export function missingPush({ push }: ApplicationState, entry: PreparedEntry): string[] | null {
  let missing: Set<string> | null = null
  const want = (user: string): void => {
    const id = push.missing(user)
    if (id !== null) (missing ??= new Set()).add(id)
  }
  for (const { view, cursors } of entry.commands) {
    if (view.kind === CommandKind.push) want(view.pushOperation().account)
    if (view.kind === CommandKind.account) {
      const { account } = view.accountOperation()
      if (push.mayHold(account)) want(account)
    }
    for (const { user } of cursors?.inboxes ?? []) if (push.mayHold(user)) want(user)
  }
  return missing === null ? null : [...missing]
}
