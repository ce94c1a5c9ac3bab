import { assert, unreachable } from '#cluster'
import type { ErrorCode } from '#protocol'
import type { ApplicationState } from './application-state.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind, type PushOperation, type Removal } from './commands.ts'
import { FEATURE_LEVELS, LevelTooHighError, levelOf, levelOfSettings } from './feature-level.ts'
import { Refusal, REFUSALS } from './refusals.ts'
import { RetentionApply } from './retention-apply.ts'
import { settingsFault } from './settings.ts'
import type { ApplyListener, WriteResult } from './types.ts'

/**
 * Applies the commands of nodes and operators: no key, no conversation of its own, harmless when it
 * comes twice. What an entry's commands name was loaded before (rule K4).
 */
export class SystemApply {
  readonly #state: ApplicationState
  readonly #retention: RetentionApply
  readonly #mostLevel: number
  listener: ApplyListener | null = null

  /** `mostLevel`: the highest feature level that this node can do. */
  constructor(state: ApplicationState, mostLevel: number = FEATURE_LEVELS.max) {
    this.#state = state
    this.#mostLevel = mostLevel
    this.#retention = new RetentionApply(state)
  }

  /** The names of what apply needs and memory lacks, `null` if nothing: see `load`. */
  missing(view: CommandView): string | null {
    if (view.kind !== CommandKind.account) return null
    const { op, account } = view.accountOperation()
    return op === 'revoke' ? this.#state.revocations.missing(account) : null
  }

  /** Only prefetch may, as nothing is applied while it runs. */
  load(missing: readonly string[]): Promise<void> {
    return this.#state.revocations.table.load(missing)
  }

  /** @throws LevelTooHighError if it is of a feature level that this node cannot do */
  apply(view: CommandView): WriteResult {
    const level = levelOf(view)
    if (level > this.#mostLevel) throw new LevelTooHighError(level, this.#mostLevel)
    switch (view.kind) {
      case CommandKind.settings:
        return this.#settings(view)
      case CommandKind.account:
        return this.#account(view)
      case CommandKind.level:
        return this.#level(view.level())
      case CommandKind.push:
        return this.#push(view.pushOperation())
      case CommandKind.retention:
        return this.#remove(view.removal())
      case CommandKind.message:
      case CommandKind.conversation:
      case CommandKind.refuse:
      case CommandKind.edit:
      case CommandKind.recall:
      case CommandKind.reaction:
      case CommandKind.cursors:
        return assert(false, 'a command of conversations belongs to its conversation') as never
      default:
        return unreachable(view.kind)
    }
  }

  /** In force from the next entry on as far as windows go: this one's was fixed at its start. */
  #settings(view: CommandView): WriteResult {
    const changes = view.settingsChanges()
    const fault = settingsFault(changes)
    if (fault !== null) return this.#refused('INVALID_MESSAGE', fault)
    const level = levelOfSettings(changes)
    if (level > this.#state.level) {
      // No leader lets one through: this one was proposed by a program with a bug.
      return this.#refused('UNSUPPORTED', `the cluster is not yet at feature level ${level}`)
    }
    this.#state.settings = { ...this.#state.settings, ...changes }
    this.listener?.onSettings?.(this.#state.settings)
    return this.#done()
  }

  /** What it is now is part of the state hash. */
  #level(level: number): WriteResult {
    if (level > this.#state.level) {
      this.#state.level = level
      this.listener?.onLevel?.(level)
    }
    return this.#done('', this.#state.level)
  }

  #account(view: CommandView): WriteResult {
    const operation = view.accountOperation()
    if (operation.op !== 'revoke') {
      this.#state.erasing.set(operation.account, operation.op === 'erase')
      if (operation.op === 'erase') this.#state.push.forget(operation.account, null)
      return this.#done()
    }
    const { account, ofDevice, before } = operation
    this.#state.revocations.revoke(account, ofDevice, before)
    this.#state.push.forget(account, ofDevice)
    this.listener?.onRevoked?.({ user: account, device: ofDevice, before })
    return this.#done()
  }

  #push(operation: PushOperation): WriteResult {
    const { push, users } = this.#state
    const { op, account: user, ofDevice: device } = operation
    let inbox = 0
    let isChange = true
    switch (op) {
      case 'subscribe':
        push.subscribe(user, device, operation.target, users.inboxes.get(user)?.head ?? 0)
        break
      case 'unsubscribe':
        isChange = push.unsubscribe(user, device, operation.endpoint)
        break
      case 'claim':
        inbox = push.claim(user, device, operation.inbox)
        isChange = false
        break
      case 'done':
        push.done(user, device, operation.inbox)
        isChange = false
        break
      case 'seen':
        isChange = push.seen(user, device)
        break
      default:
        unreachable(op)
    }
    if (isChange) this.listener?.onPush?.({ user, device })
    // What the device is called for now is part of the state hash.
    return this.#done('', inbox)
  }

  #remove(removal: Removal): WriteResult {
    const conversation = this.#state.conversations.get(removal.from)
    if (conversation === undefined) {
      const { code, message } = REFUSALS[Refusal.unknownConversation]
      return this.#refused(code, message)
    }
    const applied = this.#retention.apply(conversation, removal)
    if (applied !== null) this.listener?.onRemoved?.(applied)
    // Where it begins now is part of the state hash.
    return this.#done(conversation.id, conversation.firstSeq)
  }

  #done(conv = '', seq = 0): WriteResult {
    const now = this.#state.logTime
    const fresh = { at: 0, inbox: null, duplicate: false }
    return { ok: true, conv, msgId: '', seq, ord: 0, ...fresh, now }
  }

  #refused(code: ErrorCode, message: string): WriteResult {
    return { ok: false, msgId: '', code, message, now: this.#state.logTime }
  }
}
