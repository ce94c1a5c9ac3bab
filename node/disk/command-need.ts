import { asBuffer, type Entry, EntryType } from '#cluster'
import { forEachCommand } from '../state-machine/batch-codec.ts'
import { CommandView } from '../state-machine/command-view.ts'
import { CommandKind } from '../state-machine/commands.ts'

/**
 * What a command asks of the disks: `room` for what clients write; `little` for acknowledgements;
 * `none` for what makes room or must be said whatever it costs.
 */
export type CommandNeed = 'room' | 'little' | 'none'

/** @throws CommandFormatError if it is no command of this version */
export function needOf(command: Uint8Array): CommandNeed {
  return needOfView(new CommandView(asBuffer(command), 0, command.length))
}

/** Whether a nearly full disk takes the entry: all of it is small, or makes room (rule K9). */
export function isExempt({ type, data }: Entry): boolean {
  if (type === EntryType.configuration || data.length === 0) return true
  let isSmall = true
  try {
    forEachCommand(data, (view) => (isSmall &&= needOfView(view) !== 'room'))
  } catch {
    // What apply would stop at is not for this to judge.
    return false
  }
  return isSmall
}

function needOfView(view: CommandView): CommandNeed {
  switch (view.kind) {
    case CommandKind.retention:
    case CommandKind.settings:
    case CommandKind.account:
    case CommandKind.level:
      return 'none'
    case CommandKind.cursors: {
      const { conversations, inboxes } = view.cursors()
      // Acknowledgements of nobody: log time for what is to be erased.
      return conversations.length + inboxes.length === 0 ? 'none' : 'little'
    }
    case CommandKind.conversation: {
      const operation = view.operation()
      return operation.op === 'set' && operation.retention !== undefined ? 'none' : 'room'
    }
    default:
      return 'room'
  }
}
