import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import type { ColdObjects } from './cold-objects.ts'
import type { ConversationOperation } from './commands.ts'
import type { Conversation } from './conversation-state.ts'
import { isPresent, type Member } from './members.ts'
import { Refusal } from './refusals.ts'

/** What a present member may ask of an existing group. */
export type GroupOperation = Exclude<
  ConversationOperation,
  { op: 'create' | 'direct' | 'block' | 'unblock' }
>

/**
 * Who may do what in a group: an owner everything; an admin adds members, removes members and sets
 * name, meta, retention and history; anybody leaves, but the last owner only when he is alone.
 */
export class GroupOperations {
  readonly #state: ApplicationState
  readonly #cold: ColdObjects

  constructor(state: ApplicationState, cold: ColdObjects) {
    this.#state = state
    this.#cold = cold
  }

  /** Why not, or `null`. Changes nothing. */
  check(conversation: Conversation, sender: Member, operation: GroupOperation): Refusal | null {
    if (conversation.kind === 'direct') {
      return isRetentionAlone(operation) ? null : Refusal.directIsFixed
    }
    const { members } = conversation
    const isOwner = sender.role === 'owner'
    const lastOwner = isOwner && members.owners === 1
    if (operation.op === 'leave') {
      return lastOwner && members.present > 1 ? Refusal.lastOwner : null
    }
    if (!isOwner && sender.role !== 'admin') return Refusal.roleTooLow
    if (operation.op === 'set') return null
    const target = members.find(operation.member)
    const isThere = target !== undefined && isPresent(target)
    switch (operation.op) {
      case 'add':
        if (operation.role === 'admin' && !isOwner) return Refusal.ownersOnly
        if (isThere) return Refusal.alreadyMember
        return members.present >= this.#state.settings.groupMembers ? Refusal.groupFull : null
      case 'remove':
        if (!isThere) return Refusal.targetNotMember
        if (target === sender) return Refusal.leaveInstead
        return target.role !== 'member' && !isOwner ? Refusal.ownersOnly : null
      case 'role':
        if (!isOwner) return Refusal.ownersOnly
        if (!isThere) return Refusal.targetNotMember
        return target === sender && lastOwner && operation.role !== 'owner'
          ? Refusal.lastOwner
          : null
    }
  }

  /** What must stand before the event is told: joins, roles, settings. */
  before(conversation: Conversation, operation: GroupOperation): void {
    const { dirty, users } = this.#state
    const { members } = conversation
    if (operation.op === 'add') {
      dirty.touchMembers(conversation, members.positionOf(operation.member))
      const { head, history, large, number, id } = conversation
      const { member, role } = operation
      const joined = members.join(member, role, head + 1, history)
      if (joined.isFirst) {
        users.joined(joined.member, id, this.#cold)
        this.#state.conversations.grew()
      }
      if (large) users.joinedLarge(joined.member, number)
    } else if (operation.op === 'role') {
      dirty.touchMembers(conversation, members.positionOf(operation.member))
      members.setRole(operation.member, operation.role)
    } else if (operation.op === 'set') {
      dirty.touch(conversation)
      if (operation.name !== undefined) conversation.name = operation.name
      if (operation.meta === null) conversation.meta = null
      else if (operation.meta !== undefined) conversation.meta = new Uint8Array(operation.meta)
      if (operation.retention !== undefined) {
        conversation.retention = operation.retention
        this.#state.retained.set(conversation.id, operation.retention !== null)
      }
      if (operation.history !== undefined) conversation.history = operation.history
    }
  }

  /** What follows the event: whoever leaves still gets it. */
  after(conversation: Conversation, sender: Member, operation: GroupOperation): void {
    if (operation.op !== 'leave' && operation.op !== 'remove') return
    const leaving = operation.op === 'leave' ? sender.user : operation.member
    const { head, lastLogTime: logTime, ord, name, members } = conversation
    this.#state.dirty.touchMembers(conversation, members.positionOf(leaving))
    members.leave(leaving, head, { logTime, ord, name })
    assert(members.present === 0 || members.owners > 0, `${conversation.id} lost its owner`)
  }
}

/** What both sides of a direct conversation may do: let what is said there go after a time. */
function isRetentionAlone(operation: GroupOperation): boolean {
  if (operation.op !== 'set') return false
  const { op: _op, retention, ...others } = operation
  return retention !== undefined && Object.keys(others).length === 0
}
