import { assert } from '#cluster'
import type { ApplicationState } from './application-state.ts'
import type { ColdObjects } from './cold-objects.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind } from './commands.ts'
import { CursorsApply } from './cursors.ts'
import { Conversation } from './conversation-state.ts'
import { VERDICT_FLAG } from './dedupe-table.ts'
import { GroupOperations } from './group-operations.ts'
import { KeyHash } from './key-hash.ts'
import { isPresent, isVisible, type Member } from './members.ts'
import type { PreparedCommand } from './prepared-entry.ts'
import { Refusal, REFUSAL_OF_CODE, REFUSALS, UNRECORDED } from './refusals.ts'
import { contentDigest, Results } from './results.ts'
import { makeEvent } from './stored-event.ts'
import { TargetOperations } from './target-operations.ts'
import type { ApplyListener, WriteResult } from './types.ts'

/**
 * The `conversation` side of apply (rule A10): decides one command from one conversation and the log
 * alone, synchronously, and tells the `user` side who joined. The order of the checks is the rule:
 * copy of an earlier write (A2, A3), then FIFO (A4), then everything that may refuse for good (A5).
 */
export class ConversationApply {
  readonly #state: ApplicationState
  readonly #cold: ColdObjects
  readonly #results: Results
  readonly #operations: GroupOperations
  readonly #cursors: CursorsApply
  readonly #targets: TargetOperations
  readonly #hash = new KeyHash()
  #wallTime = 0
  /** As the entry found them: what one command sets counts from the next entry on (rule K4). */
  #largeAbove = 0
  #smallBelow = 0
  listener: ApplyListener | null = null

  constructor(state: ApplicationState, cold: ColdObjects) {
    this.#state = state
    this.#cold = cold
    this.#results = new Results(state, cold)
    this.#operations = new GroupOperations(state, cold)
    this.#cursors = new CursorsApply(state, cold)
    this.#targets = new TargetOperations(state, cold)
  }

  get results(): Results {
    return this.#results
  }

  /** The entry about to be applied has this wall time, in ms. */
  beginEntry(wallTime: number): void {
    this.#wallTime = wallTime
    const { largeAbove, smallBelow } = this.#state.settings
    this.#largeAbove = largeAbove
    this.#smallBelow = Math.min(smallBelow, largeAbove)
  }

  apply(command: PreparedCommand): WriteResult {
    if (command.cursors !== null) {
      return this.#cursors.apply(command.cursors, this.#wallTime, this.listener)
    }
    const { view } = command
    const { logTime, windowStart } = this.#state
    // A client cannot know a later log time than this one: a greater `since` would match nothing.
    const since = view.since === null ? 0 : Math.min(view.since, logTime)
    const prior = this.#prior(command, Math.max(since, windowStart))
    if (prior !== null) {
      if (this.#results.sameContent(prior, view)) {
        if (prior.event !== null && view.kind === CommandKind.message) {
          this.listener?.onDuplicate?.(prior.conversation, prior.event.seq, view.user)
        }
        return this.#results.answer(prior, logTime)
      }
      return this.#unrecorded(view, UNRECORDED.mismatch)
    }
    if (view.since !== null && since < windowStart) {
      return this.#unrecorded(view, UNRECORDED.expired)
    }
    const conversation = this.#conversation(command)
    const sender = conversation?.members.find(view.user)
    if (view.prev !== null && !this.#hasResult(command, view.prev, sender)) {
      return this.#unrecorded(view, UNRECORDED.outOfOrder)
    }
    if (view.kind === CommandKind.message) return this.#message(command, conversation, sender)
    if (view.kind === CommandKind.refuse) {
      return this.#refuse(command, REFUSAL_OF_CODE[view.refuseCode()])
    }
    if (view.kind === CommandKind.conversation) {
      return this.#operation(command, conversation, sender)
    }
    return this.#onTarget(command, conversation, sender)
  }

  #onTarget(
    command: PreparedCommand,
    conversation: Conversation | undefined,
    sender: Member | undefined,
  ): WriteResult {
    const { view } = command
    if (conversation === undefined) return this.#refuse(command, Refusal.unknownConversation)
    if (sender === undefined || !isPresent(sender)) return this.#refuse(command, Refusal.notMember)
    const isBlocked = view.kind !== CommandKind.recall && isBlockedIn(conversation, sender)
    const refusal = isBlocked ? Refusal.blocked : this.#targets.check(conversation, sender, view)
    if (refusal !== null) return this.#refuse(command, refusal)
    const result = this.#append(command, conversation, sender)
    this.#targets.after(conversation, view)
    return result
  }

  #prior(command: PreparedCommand, bound: number): ReturnType<Results['find']> {
    const prior = this.#results.find(command, command.view.msgId, bound)
    if (prior !== null || !command.ofUser) return prior
    // A group exists once whatever the window did: its id is a function of the key.
    const creates = command.conversation === command.keyConversation
    return creates ? this.#results.creation(command.view.user, command.view.msgId) : null
  }

  #hasResult(command: PreparedCommand, msgId: string, sender: Member | undefined): boolean {
    const { windowStart } = this.#state
    if (!command.ofUser && sender?.lastMsgId === msgId && sender.lastLogTime >= windowStart) {
      return true
    }
    return this.#results.find(command, msgId, windowStart) !== null
  }

  #message(
    command: PreparedCommand,
    existing: Conversation | undefined,
    sender: Member | undefined,
  ): WriteResult {
    const { view } = command
    if (existing === undefined && view.to === null) {
      return this.#refuse(command, Refusal.unknownConversation)
    }
    if (existing !== undefined && (sender === undefined || !isPresent(sender))) {
      return this.#refuse(command, Refusal.notMember)
    }
    if (existing !== undefined && isBlockedIn(existing, sender!)) {
      return this.#refuse(command, Refusal.blocked)
    }
    if (view.replyTo !== null) {
      const known = existing !== undefined && view.replyTo >= 1 && view.replyTo <= existing.head
      if (!known || !isVisible(sender!, view.replyTo)) {
        return this.#refuse(command, Refusal.unknownReply)
      }
    }
    const conversation = existing ?? this.#openDirect(command.conversation, view.user, view.to!)
    return this.#append(command, conversation, sender ?? conversation.members.find(view.user)!)
  }

  #operation(
    command: PreparedCommand,
    conversation: Conversation | undefined,
    sender: Member | undefined,
  ): WriteResult {
    const { view } = command
    const operation = view.operation()
    if (operation.op === 'direct') {
      const opened =
        conversation ?? this.#openDirect(command.conversation, view.user, operation.with)
      return this.#record(command, null, opened)
    }
    if (operation.op === 'block' || operation.op === 'unblock') {
      const { member } = operation
      if (member === view.user) return this.#refuse(command, Refusal.blockSelf)
      const direct = conversation ?? this.#openDirect(command.conversation, view.user, member)
      this.#state.dirty.touchMembers(direct, direct.members.positionOf(view.user))
      direct.members.find(view.user)!.blocks = operation.op === 'block'
      return this.#record(command, null, direct)
    }
    if (operation.op === 'create') {
      assert(conversation === undefined, 'an existing group answers its creator before this')
      const members = new Set([view.user, ...operation.members])
      if (members.size > this.#state.settings.groupMembers) {
        return this.#refuse(command, Refusal.groupFull)
      }
      const group = this.#open(command.conversation, 'group', members, view.user)
      group.name = operation.name
      group.meta = operation.meta === null ? null : new Uint8Array(operation.meta)
      const result = this.#append(command, group, group.members.find(view.user)!)
      this.#measure(group)
      return result
    }
    if (conversation === undefined) return this.#refuse(command, Refusal.unknownConversation)
    if (sender === undefined || !isPresent(sender)) return this.#refuse(command, Refusal.notMember)
    if (isBlockedIn(conversation, sender)) return this.#refuse(command, Refusal.blocked)
    const refusal = this.#operations.check(conversation, sender, operation)
    if (refusal !== null) return this.#refuse(command, refusal)
    // Whoever joins sees the event that added him, whoever leaves the one that removed him.
    this.#operations.before(conversation, operation)
    const result = this.#append(command, conversation, sender)
    this.#operations.after(conversation, sender, operation)
    this.#measure(conversation)
    return result
  }

  /** The write becomes the conversation's next event. */
  #append(command: PreparedCommand, conversation: Conversation, sender: Member): WriteResult {
    const { view } = command
    const state = this.#state
    const now = state.logTime
    state.dirty.touch(conversation)
    const seq = (conversation.head += 1)
    assert(seq < VERDICT_FLAG, `${conversation.id} has no seq left`)
    const isMessage = view.kind === CommandKind.message
    if (isMessage) conversation.ord += 1
    const at = Math.max(conversation.lastAt, this.#wallTime)
    conversation.lastAt = at
    conversation.lastLogTime = now
    state.hot.push(conversation, view)
    state.feed.add(conversation.number, seq)
    if (!command.ofUser) {
      const { keyHigh, keyLow } = command
      state.dedupe.insert(keyHigh, keyLow, seq, now, state.settings.windowMs)
      sender.lastMsgId = view.msgId
      sender.lastLogTime = now
    }
    const { ord, id, large } = conversation
    if (large) conversation.unlisted = seq
    else state.hash.inboxes(state.users.deliver(conversation))
    const inbox = large ? null : sender.inbox!.number
    this.listener?.onEvent(conversation, makeEvent(view, seq, ord, at, now))
    return { ok: true, conv: id, msgId: view.msgId, seq, ord, at, inbox, duplicate: false, now }
  }

  /** Whether its next events take inbox entries (rule B3): only a member event changes that. */
  #measure(conversation: Conversation): void {
    const { large, members } = conversation
    const becomes = large ? members.present >= this.#smallBelow : members.present > this.#largeAbove
    if (becomes === large) return
    this.#state.dirty.touch(conversation)
    conversation.large = becomes
    if (becomes) this.#state.users.becameLarge(conversation)
  }

  #refuse(command: PreparedCommand, refusal: Refusal): WriteResult {
    return this.#record(command, refusal, null)
  }

  /** A result without an event is kept as a verdict, so that every copy gets the same (rule A2). */
  #record(
    command: PreparedCommand,
    refusal: Refusal | null,
    opened: Conversation | null,
  ): WriteResult {
    const { view } = command
    const state = this.#state
    const now = state.logTime
    const number = (state.lastVerdict += 1)
    const conv = opened?.id ?? ''
    const at = opened?.createdAt ?? 0
    state.verdicts.add({
      number,
      scope: command.ofUser ? '' : command.keyConversation,
      user: view.user,
      msgId: view.msgId,
      refusal,
      logTime: now,
      conv,
      at,
      digest: contentDigest(view),
    })
    const { keyHigh, keyLow } = command
    const value = VERDICT_FLAG + number
    state.dedupe.insert(keyHigh, keyLow, value, now, state.settings.windowMs)
    if (refusal !== null) return { ok: false, msgId: view.msgId, ...REFUSALS[refusal], now }
    const { msgId } = view
    return { ok: true, conv, msgId, seq: 0, ord: 0, at, inbox: null, duplicate: false, now }
  }

  #unrecorded(view: CommandView, info: (typeof UNRECORDED)[keyof typeof UNRECORDED]): WriteResult {
    return { ok: false, msgId: view.msgId, ...info, now: this.#state.logTime }
  }

  /** Opening is no event: the first message of a direct conversation has seq 1. */
  #openDirect(id: string, user: string, other: string): Conversation {
    return this.#open(id, 'direct', new Set([user, other].sort()), null)
  }

  #open(
    id: string,
    kind: 'direct' | 'group',
    members: ReadonlySet<string>,
    owner: string | null,
  ): Conversation {
    const state = this.#state
    const { high, low } = state.conversationPrefix(this.#hash, id)
    const createdAt = this.#wallTime
    const number = state.numbers.add(id)
    const place = { id, kind, createdAt, number }
    const conversation = new Conversation({ ...place, hashHigh: high, hashLow: low })
    conversation.lastLogTime = state.logTime
    for (const user of members) this.#join(conversation, user, user === owner ? 'owner' : 'member')
    state.conversations.add(conversation)
    return conversation
  }

  #join(conversation: Conversation, user: string, role: 'owner' | 'member'): void {
    this.#state.dirty.touchMembers(conversation, conversation.members.list.length)
    const { member } = conversation.members.join(user, role, conversation.head + 1)
    this.#state.users.joined(member, conversation.id, this.#cold)
  }

  #conversation(command: PreparedCommand): Conversation | undefined {
    const conversation = this.#results.conversation(command)
    const { conversation: id } = command
    assert(
      conversation !== undefined || this.#state.allInMemory || this.#cold.isAbsent(id),
      `${id} was not prefetched`,
    )
    return conversation
  }
}

/** In a direct conversation: the other side takes nothing of the sender. */
function isBlockedIn({ kind, members }: Conversation, sender: Member): boolean {
  return kind === 'direct' && members.list.some((other) => other !== sender && other.blocks)
}
