import { assert } from '#cluster'
import { isGone } from './amendments.ts'
import type { ApplicationState } from './application-state.ts'
import type { ColdObjects } from './cold-objects.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind } from './commands.ts'
import type { Conversation } from './conversation-state.ts'
import { isVisible, type Member } from './members.ts'
import { Refusal } from './refusals.ts'
import type { StoredEvent } from './stored-event.ts'

/**
 * What is done to an earlier message: its author edits it; its author, or in a group an owner or
 * admin, recalls it; whoever sees it reacts to it. A message that is gone takes nothing of that.
 */
export class TargetOperations {
  readonly #state: ApplicationState
  readonly #cold: ColdObjects

  constructor(state: ApplicationState, cold: ColdObjects) {
    this.#state = state
    this.#cold = cold
  }

  /** Why not, or `null`. Changes nothing. */
  check(conversation: Conversation, sender: Member, view: CommandView): Refusal | null {
    const target = view.target!
    if (target < 1 || target > conversation.head || !isVisible(sender, target)) {
      return Refusal.unknownTarget
    }
    if (target < conversation.firstSeq) return Refusal.targetGone
    if (isGone(this.#state.amendments.find(conversation, target))) return Refusal.targetGone
    const event = this.#event(conversation, target)
    if (event.view.kind !== CommandKind.message) return Refusal.unknownTarget
    const isAuthor = event.view.user === sender.user
    if (view.kind === CommandKind.reaction) return null
    if (view.kind === CommandKind.recall && sender.role !== 'member') return null
    if (!isAuthor) {
      return view.kind === CommandKind.edit ? Refusal.authorsOnly : Refusal.authorsAndAdminsOnly
    }
    const { logTime, settings } = this.#state
    const isLate = settings.amendWithinMs > 0 && logTime - event.logTime > settings.amendWithinMs
    return isLate ? Refusal.tooLate : null
  }

  /** The event was appended: its target is another one now. */
  after(conversation: Conversation, view: CommandView): void {
    const { amendments, removals, logTime } = this.#state
    const target = view.target!
    if (view.kind === CommandKind.edit) {
      amendments.amend(conversation, target, { edited: conversation.head })
    } else if (view.kind === CommandKind.recall) {
      const edited = amendments.find(conversation, target)?.edited ?? 0
      const seqs = edited === 0 ? [target] : [target, edited]
      removals.add({ conv: conversation.id, logTime, seqs, from: 0, upTo: 0 })
      amendments.amend(conversation, target, { recalled: true })
    }
  }

  #event(conversation: Conversation, seq: number): StoredEvent {
    const hot = conversation.hotNumber(seq)
    if (hot >= 0) return this.#state.hot.get(hot)
    const event = this.#cold.event(conversation.id, seq)
    assert(event !== undefined, `event ${seq} of ${conversation.id} was not prefetched`)
    return event
  }
}
