import { unreachable } from '#cluster'
import { forEachCommand, type BatchStamp } from './batch-codec.ts'
import type { CommandView } from './command-view.ts'
import type { ConversationCache } from './conversation-cache.ts'
import type { Conversation } from './conversation-state.ts'
import { CommandKind, type CursorsCommand } from './commands.ts'
import { directConversationId, groupConversationId } from './conversation-id.ts'

/** What a `cursors` command holds, and what prefetch found out about it. */
export interface PreparedCursors extends Pick<CursorsCommand, 'conversations' | 'inboxes'> {
  /** How many members each conversation has had before the entry; −1: there was none. */
  readonly membersBefore: number[]
}

/** One command with the places that decide it (rule A1). */
export class PreparedCommand {
  readonly view: CommandView
  /** The key belongs to the user, not to a conversation: `create` and `direct`. */
  readonly ofUser: boolean
  /** The conversation that the command is about, existing or not. */
  readonly conversation: string
  /** Of user keys the group that this msgId created or would create; else `conversation`. */
  readonly keyConversation: string
  /** `conversation` once it was found in memory: until the entry is applied it stays there. */
  found: Conversation | null = null
  /** Only of a system command of that kind, which has no key and no conversation of its own. */
  readonly cursors: PreparedCursors | null
  /** Hash of the key; only if `isHashed`. */
  keyHigh = 0
  keyLow = 0
  isHashed = false

  constructor(
    view: CommandView,
    ofUser: boolean,
    conversation: string,
    keyConversation: string,
    cursors: PreparedCursors | null = null,
  ) {
    this.view = view
    this.ofUser = ofUser
    this.conversation = conversation
    this.keyConversation = keyConversation
    this.cursors = cursors
  }
}

/** A decoded entry: made once, for prefetch and apply both. */
export interface PreparedEntry {
  readonly stamp: BatchStamp
  readonly commands: readonly PreparedCommand[]
}

/** What `cache` holds is found there; without it every place is worked out anew. */
export function prepareEntry(
  data: Uint8Array,
  cache: ConversationCache | null = null,
): PreparedEntry {
  const commands: PreparedCommand[] = []
  const stamp = forEachCommand(data, (view) => commands.push(prepare(view, cache)))
  return { stamp, commands }
}

function prepare(view: CommandView, cache: ConversationCache | null): PreparedCommand {
  switch (view.kind) {
    case CommandKind.message: {
      const direct = view.to === null ? undefined : cache?.direct(view.user, view.to)
      if (direct !== undefined) {
        const command = new PreparedCommand(view, false, direct.id, direct.id)
        command.found = direct
        return command
      }
      const conversation = view.conv ?? directConversationId(view.user, view.to!)
      return new PreparedCommand(view, false, conversation, conversation)
    }
    case CommandKind.refuse: {
      // What is refused may be a `create` or `direct`, which names no conversation.
      const ofUser = view.conv === ''
      const conversation = ofUser ? groupConversationId(view.user, view.msgId) : view.conv!
      return new PreparedCommand(view, ofUser, conversation, conversation)
    }
    case CommandKind.conversation: {
      const operation = view.operation()
      if (operation.op === 'block' || operation.op === 'unblock') {
        const direct = directConversationId(view.user, operation.member)
        return new PreparedCommand(view, false, direct, direct)
      }
      if (operation.op === 'create' || operation.op === 'direct') {
        const group = groupConversationId(view.user, view.msgId)
        const conversation =
          operation.op === 'create' ? group : directConversationId(view.user, operation.with)
        return new PreparedCommand(view, true, conversation, group)
      }
      return new PreparedCommand(view, false, view.conv!, view.conv!)
    }
    case CommandKind.settings:
    case CommandKind.account:
    case CommandKind.push:
    case CommandKind.level:
      return new PreparedCommand(view, false, '', '')
    case CommandKind.cursors:
      return new PreparedCommand(view, false, '', '', { ...view.cursors(), membersBefore: [] })
    case CommandKind.edit:
    case CommandKind.recall:
    case CommandKind.reaction:
      return new PreparedCommand(view, false, view.conv!, view.conv!)
    case CommandKind.retention: {
      const { from } = view.removal()
      return new PreparedCommand(view, false, from, from)
    }
    default:
      return unreachable(view.kind)
  }
}
