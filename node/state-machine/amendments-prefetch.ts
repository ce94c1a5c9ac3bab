import type { ApplicationState } from './application-state.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind } from './commands.ts'
import type { PreparedEntry } from './prepared-entry.ts'

/** The blocks of amendments that the entry's commands look at and memory does not hold. */
export function missingAmendments(
  state: ApplicationState,
  entry: PreparedEntry,
): readonly string[] | null {
  let missing: Set<string> | null = null
  for (const { view, conversation: id } of entry.commands) {
    const seqs = seqsNamed(view)
    if (seqs.length === 0) continue
    const conversation = state.conversations.get(id)
    if (conversation === undefined) continue
    for (const seq of seqs) {
      const block = state.amendments.missing(conversation, seq)
      if (block !== null) (missing ??= new Set()).add(block)
    }
  }
  return missing === null ? null : [...missing]
}

/** Of the events whose state the command looks at or changes. */
function seqsNamed(view: CommandView): readonly number[] {
  if (view.target !== null) return [view.target]
  if (view.kind !== CommandKind.retention) return NOTHING
  const removal = view.removal()
  return removal.op === 'expire' ? removal.seqs : NOTHING
}

const NOTHING: readonly number[] = []
