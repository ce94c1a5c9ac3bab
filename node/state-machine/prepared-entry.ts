import { unreachable } from '#cluster'
import { forEachCommand, type BatchStamp } from './batch-codec.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind } from './commands.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'

/** One command with the places that decide it (rule A1). */
export interface PreparedCommand {
  readonly view: CommandView
  /** The key belongs to the user, not to a conversation: `create` and `direct`. */
  readonly ofUser: boolean
  /** The conversation that the command is about, existing or not. */
  readonly conversation: string
  /** Of user keys the group that this msgId created or would create; else `conversation`. */
  readonly keyConversation: string
}

/** A decoded entry: made once, for prefetch and apply both. */
export interface PreparedEntry {
  readonly stamp: BatchStamp
  readonly commands: readonly PreparedCommand[]
}

export function prepareEntry(data: Uint8Array): PreparedEntry {
  const commands: PreparedCommand[] = []
  const stamp = forEachCommand(data, (view) => commands.push(prepare(view)))
  return { stamp, commands }
}

function prepare(view: CommandView): PreparedCommand {
  switch (view.kind) {
    case CommandKind.message: {
      const conversation = view.conv ?? directConversationId(view.user, view.to!)
      return { view, ofUser: false, conversation, keyConversation: conversation }
    }
    case CommandKind.refuse: {
      // What is refused may be a `create` or `direct`, which names no conversation.
      const ofUser = view.conv === ''
      const conversation = ofUser ? groupConversationId(view.user, view.msgId) : view.conv!
      return { view, ofUser, conversation, keyConversation: conversation }
    }
    case CommandKind.conversation: {
      const operation = view.operation()
      if (operation.op === 'create' || operation.op === 'direct') {
        const group = groupConversationId(view.user, view.msgId)
        const conversation =
          operation.op === 'create' ? group : directConversationId(view.user, operation.with)
        return { view, ofUser: true, conversation, keyConversation: group }
      }
      return { view, ofUser: false, conversation: view.conv!, keyConversation: view.conv! }
    }
    default:
      return unreachable(view.kind)
  }
}
