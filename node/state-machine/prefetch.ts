import { StoreDamagedError } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { readColdEvents } from './cold-events.ts'
import type { ColdObjects } from './cold-objects.ts'
import { groupConversationId } from './conversation-id.ts'
import { missingAmendments } from './amendments-prefetch.ts'
import { loadConversations, proveAbsent } from './conversation-loader.ts'
import { CommandKind, isKeyed } from './commands.ts'
import type { Conversation } from './conversation-state.ts'
import { missingReceipts } from './cursors-prefetch.ts'
import { userRange, verdictKey } from './keys.ts'
import { isPresent } from './members.ts'
import { missingPush } from './push-prefetch.ts'
import type { PreparedCommand, PreparedEntry } from './prepared-entry.ts'
import type { Missing, Results } from './results.ts'
import type { SystemApply } from './system.ts'
import { decodeVerdict } from './verdict.ts'

interface MissingUsers {
  /** Members now, who must have an inbox. */
  readonly members: Set<string>
  /** Users who may have none. */
  readonly others: Set<string>
}

/** Reads of the store that wait for it together. */
const READS_AT_ONCE = 64

interface MissingResult {
  readonly conversation: Conversation | null
  readonly number: number
}

/**
 * Brings into memory what apply of one entry will look at (rule K4): first its conversations, then
 * the stored results that dedupe hits point at. Nothing is applied while it runs.
 */
export class Prefetch {
  readonly #state: ApplicationState
  readonly #cold: ColdObjects
  readonly #results: Results
  readonly #system: SystemApply

  constructor(state: ApplicationState, cold: ColdObjects, results: Results, system: SystemApply) {
    this.#state = state
    this.#cold = cold
    this.#results = results
    this.#system = system
  }

  /** `null` if everything is in memory: the usual case. */
  run(entry: PreparedEntry): Promise<void> | null {
    const named = this.#missingNamed(entry)
    const writes = this.#writes(entry)
    if (named === null) return writes
    const loaded = this.#system.load(named)
    return writes === null ? loaded : Promise.all([loaded, writes]).then(() => undefined)
  }

  /** What system commands name. */
  #missingNamed(entry: PreparedEntry): string[] | null {
    let missing: string[] | null = null
    for (const { view } of entry.commands) {
      if (isKeyed(view.kind)) continue
      const name = this.#system.missing(view)
      if (name !== null) (missing ??= []).push(name)
    }
    return missing
  }

  #writes(entry: PreparedEntry): Promise<void> | null {
    const ids = this.#missingConversations(entry)
    if (ids !== null) return this.#load(entry, [...ids])
    return this.#rest(entry)
  }

  /** What can only be named once the entry's conversations are known. */
  #rest(entry: PreparedEntry): Promise<void> | null {
    const users = this.#missingUsers(entry)
    const results = this.#missingResults(entry)
    const receipts = missingReceipts(this.#state, entry)
    const blocks = missingAmendments(this.#state, entry)
    const push = missingPush(this.#state, entry)
    const named = [receipts, blocks, push]
    if (users === null && results === null && named.every((ids) => ids === null)) return null
    return this.#loadRest(users, results, { receipts, blocks, push })
  }

  /**
   * Whose inboxes the entry may change and memory does not hold: of each small conversation the
   * present members (of a large one, if the entry can make it small), and whom a command may add.
   */
  #missingUsers(entry: PreparedEntry): MissingUsers | null {
    const { users, settings } = this.#state
    if (users.allInMemory) return null
    const missing: MissingUsers = { members: new Set(), others: new Set() }
    const wants = (user: string): void => {
      if (users.inboxes.get(user) === undefined) missing.others.add(user)
    }
    let previous: Conversation | null = null
    for (const command of entry.commands) {
      for (const { user } of command.cursors?.inboxes ?? []) wants(user)
      if (command.view.kind === CommandKind.push) {
        const { op, account } = command.view.pushOperation()
        if (op === 'subscribe') wants(account)
      }
      if (!isKeyed(command.view.kind)) continue
      const conversation = this.#results.conversation(command)
      if (conversation !== undefined && conversation !== previous) {
        previous = conversation
        const { large, members } = conversation
        if (!large || members.present - entry.commands.length < settings.smallBelow) {
          for (const member of members.list) {
            if (isPresent(member) && !users.hasInbox(member)) missing.members.add(member.user)
          }
        }
      }
      for (const user of usersAdded(command)) wants(user)
    }
    return missing.members.size + missing.others.size === 0 ? null : missing
  }

  #missingConversations(entry: PreparedEntry): Set<string> | null {
    const { conversations, allInMemory } = this.#state
    let missing: Set<string> | null = null
    const want = (id: string): void => {
      if (conversations.get(id) === undefined && !allInMemory) (missing ??= new Set()).add(id)
    }
    for (const command of entry.commands) {
      const { view, keyConversation, ofUser, cursors } = command
      for (const { conv } of cursors?.conversations ?? []) want(conv)
      // Settings, accounts and cursors are of no one conversation.
      if (command.conversation === '') continue
      if (this.#results.conversation(command) === undefined) want(command.conversation)
      if (!ofUser) continue
      want(keyConversation)
      if (view.prev !== null) want(groupConversationId(view.user, view.prev))
    }
    return missing
  }

  #missingResults(entry: PreparedEntry): MissingResult[] | null {
    const { settings, logTime } = this.#state
    const now = Math.max(logTime, entry.stamp.logTime)
    const windowStart = Math.max(this.#state.windowStart, now - settings.windowMs)
    let missing: MissingResult[] | null = null
    const miss = (conversation: Conversation | null, number: number): void => {
      ;(missing ??= []).push({ conversation, number })
    }
    for (const command of entry.commands) {
      const { view, ofUser } = command
      if (!isKeyed(view.kind)) continue
      const since = view.since === null ? 0 : Math.min(view.since, now)
      this.#results.find(command, view.msgId, Math.max(since, windowStart), miss)
      if (ofUser) this.#results.creation(view.user, view.msgId, miss)
      // Even where the sender's newest write is `prev` now: an earlier command of this entry can make
      // another one the newest, and then apply looks at every result that the key of `prev` has.
      if (view.prev !== null) this.#results.find(command, view.prev, windowStart, miss)
      const conversation = view.target === null ? undefined : this.#results.conversation(command)
      if (conversation !== undefined) this.#missTarget(conversation, view.target!, miss)
    }
    return missing
  }

  async #load(entry: PreparedEntry, ids: readonly string[]): Promise<void> {
    const loaded = await loadConversations(this.#state, ids)
    ids.forEach((id, i) => {
      const conversation = loaded[i] ?? null
      if (conversation === null) this.#cold.addAbsent(id)
      else if (this.#state.conversations.get(id) === undefined) {
        this.#state.conversations.add(conversation)
      }
    })
    for (const { view, conversation, cursors } of entry.commands) {
      for (const { conv, acks } of cursors?.conversations ?? []) {
        if (!this.#cold.isAbsent(conv)) continue
        for (const { user } of acks) await proveAbsent(this.#state, user, conv)
      }
      if (!isKeyed(view.kind)) continue
      if (this.#cold.isAbsent(conversation)) await proveAbsent(this.#state, view.user, conversation)
    }
    await this.#rest(entry)
  }

  async #loadRest(
    users: MissingUsers | null,
    results: readonly MissingResult[] | null,
    named: Readonly<Record<'receipts' | 'blocks' | 'push', readonly string[] | null>>,
  ): Promise<void> {
    const { receipts, blocks, push } = named
    if (push !== null) await this.#state.push.table.load(push)
    if (blocks !== null) await this.#state.amendments.load(blocks)
    if (receipts !== null) await this.#state.receipts.load(receipts)
    if (users !== null) await this.#loadUsers(users)
    if (results !== null) await this.#loadResults(results)
  }

  #missTarget(conversation: Conversation, seq: number, miss: Missing): void {
    if (seq < conversation.firstSeq || seq > conversation.coldHead) return
    if (this.#cold.event(conversation.id, seq) === undefined) miss(conversation, seq)
  }

  /** Whoever is in a conversation has an inbox: it must be there, or the numbers begin anew (K5). */
  async #loadUsers({ members, others }: MissingUsers): Promise<void> {
    const { users, store } = this.#state
    for (const user of await users.inboxes.loadExisting([...new Set([...members, ...others])])) {
      const { from, to } = userRange(user)
      let isMember = members.has(user)
      for await (const _ of store.range(from, to, { limit: 1 })) isMember = true
      if (isMember) throw new StoreDamagedError(`the inbox of ${user} is missing from the store`)
      this.#cold.addAbsentUser(user)
    }
  }

  async #loadEvent(conversation: Conversation, seq: number): Promise<void> {
    const { store } = this.#state
    try {
      await readColdEvents(store, conversation, { from: seq, to: seq }, (event) => {
        this.#cold.addEvent(conversation.id, event)
        return true
      })
    } catch (error) {
      // Retention cut it off, and the window has passed it: the store may have let go of it.
      if (!(error instanceof StoreDamagedError) || seq >= conversation.firstSeq) throw error
      this.#cold.addErased(conversation.id, seq)
    }
  }

  /** Side by side: an entry of many old copies would else wait for the disk once for each. */
  async #loadResults(missing: readonly MissingResult[]): Promise<void> {
    const once = new Map<string, MissingResult>()
    for (const each of missing) once.set(`${each.conversation?.id ?? ''} ${each.number}`, each)
    const wanted = [...once.values()]
    for (let at = 0; at < wanted.length; at += READS_AT_ONCE) {
      const some = wanted.slice(at, at + READS_AT_ONCE)
      await Promise.all(
        some.map(({ conversation, number }) =>
          conversation === null ? this.#loadVerdict(number) : this.#loadEvent(conversation, number),
        ),
      )
    }
  }

  async #loadVerdict(number: number): Promise<void> {
    const { store } = this.#state
    const bytes = await store.get(verdictKey(number))
    if (bytes !== null) this.#cold.addVerdict(decodeVerdict(bytes))
    else if (number > this.#state.purgedVerdict) {
      throw new StoreDamagedError(`verdict ${number} is missing from the store`)
    }
  }
}

/** Users whom the command may make members. */
function usersAdded({ view, found }: PreparedCommand): readonly string[] {
  if (view.kind === CommandKind.message) {
    return found === null && view.to !== null ? [view.user, view.to] : NOBODY
  }
  if (view.kind !== CommandKind.conversation) return NOBODY
  const operation = view.operation()
  switch (operation.op) {
    case 'create':
      return [view.user, ...operation.members]
    case 'direct':
      return [view.user, operation.with]
    case 'block':
    case 'unblock':
      return [view.user, operation.member]
    case 'add':
      return [operation.member]
    default:
      return NOBODY
  }
}

const NOBODY: readonly string[] = []
