import { integer, object, text } from '#cluster'
import { LIMITS } from '#protocol'
import { traceMessage, type TraceSources, type TraceWanted } from '../trace/message-trace.ts'
import { adminProblem } from './admin-problem.ts'
import type { Operation } from './operation.ts'
import { isConversationId } from './operator-call.ts'
import { nullable, readParameters } from './read-parameters.ts'

export interface TraceParts {
  readonly trace: TraceSources
  /** Its state is as new as a leader's was after its start. */
  serving(): boolean
}

const WANTED = object<TraceWanted>({
  conv: text(LIMITS.conversationLength),
  seq: nullable(integer(1)),
  msgId: nullable(text(LIMITS.msgIdLength)),
  from: nullable(text(LIMITS.userLength)),
})

/** What a node knows of one message, told to who asks another one. */
export function traceOperation(parts: TraceParts): Operation {
  return {
    ...{ name: 'node.trace', at: 'node', isRepeatable: true },
    run: async (given) => {
      const read = readParameters(given, WANTED)
      if ('problem' in read) return read
      const { conv, seq, msgId } = read.parameters
      if (!isConversationId(conv) || (seq === null) === (msgId === null)) {
        return { problem: adminProblem('INVALID_MESSAGE', 'name a conversation, and seq or msgId') }
      }
      if (!parts.serving()) {
        return { problem: adminProblem('BEHIND', 'that node is not ready: its state may be old') }
      }
      const result = await traceMessage(parts.trace, read.parameters)
      return result === null
        ? { problem: adminProblem('GROUP_NOT_FOUND', 'There is no such conversation.') }
        : { result }
    },
  }
}
