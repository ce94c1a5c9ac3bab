import type { Clock, Entry, Random, Timer } from '#cluster'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import type { Cut, Put, Store, StoreDirectory, StoreInstall } from '../store/store.ts'
import { encodeBatch } from './batch-codec.ts'
import { encodeCommand } from './command-codec.ts'
import {
  CommandKind,
  type Command,
  type ConversationOperation,
  type CursorAck,
  type PushOperation,
  type RefuseCommand,
  type Removal,
  SYSTEM_HEAD,
} from './commands.ts'
import type { SettingsChanges } from './settings.ts'
import { ParleyStateMachine, type StateMachineOptions } from './state-machine.ts'
import type { AppliedReceipt, ApplyListener, ConversationEvent, WriteResult } from './types.ts'

/** What the tests of this folder share: commands in short form and a machine on a memory store. */

interface Common {
  readonly user: string
  readonly msgId: string
  readonly device?: string
  readonly prev?: string | null
  readonly since?: number | null
}

const base = ({ user, msgId, device = 'phone', prev = null, since = null }: Common) => {
  return { origin: 1, request: 2, user, device, msgId, prev, since }
}

export function message(
  fields: Common & {
    readonly conv?: string
    readonly to?: string
    readonly body?: string
    readonly replyTo?: number | null
    readonly large?: boolean
  },
): Command {
  const { conv = null, to = null, body = fields.msgId, replyTo = null, large = false } = fields
  const common = { kind: CommandKind.message, ...base(fields) }
  return { ...common, conv, to, replyTo, large, body: Buffer.from(body) }
}

export function operation(
  fields: Common & { readonly conv?: string },
  of: ConversationOperation,
): Command {
  const common = { kind: CommandKind.conversation, ...base(fields) }
  return { ...common, conv: fields.conv ?? '', operation: of }
}

export function create(fields: Common, ...members: string[]): Command {
  return operation(fields, { op: 'create', members, name: null, meta: null })
}

export function edit(fields: Common & { conv: string; target: number; body: string }): Command {
  const { conv, target, body } = fields
  return { kind: CommandKind.edit, ...base(fields), conv, target, body: Buffer.from(body) }
}

export function recall(fields: Common & { conv: string; target: number }): Command {
  const { conv, target } = fields
  return { kind: CommandKind.recall, ...base(fields), conv, target }
}

export function react(
  fields: Common & { conv: string; target: number; reaction: string; on?: boolean },
): Command {
  const { conv, target, reaction, on = true } = fields
  return { kind: CommandKind.reaction, ...base(fields), conv, target, reaction, on }
}

export function remove(removal: Removal): Command {
  return { kind: CommandKind.retention, ...SYSTEM_HEAD, origin: 1, request: 2, removal }
}

export function refuse(
  fields: Common & { readonly conv: string },
  code: RefuseCommand['code'],
): Command {
  return { kind: CommandKind.refuse, ...base(fields), conv: fields.conv, code }
}

export function setting(changes: SettingsChanges): Command {
  return { kind: CommandKind.settings, ...SYSTEM_HEAD, origin: 1, request: 2, changes }
}

export function raise(level: number): Command {
  return { kind: CommandKind.level, ...SYSTEM_HEAD, origin: 1, request: 2, level }
}

export function erase(account: string): Command {
  const operation = { op: 'erase' as const, account }
  return { kind: CommandKind.account, ...SYSTEM_HEAD, origin: 1, request: 2, operation }
}

export function revoke(account: string, ofDevice: string | null, before: number): Command {
  const operation = { op: 'revoke' as const, account, ofDevice, before }
  return { kind: CommandKind.account, ...SYSTEM_HEAD, origin: 1, request: 2, operation }
}

/** Without whose device it is. */
type PushWhat = PushOperation extends infer T
  ? T extends PushOperation
    ? Omit<T, 'account' | 'ofDevice'>
    : never
  : never

export function push(account: string, ofDevice: string, what: PushWhat): Command {
  const operation = { account, ofDevice, ...what } as PushOperation
  return { kind: CommandKind.push, ...SYSTEM_HEAD, origin: 1, request: 2, operation }
}

/** The device has its user's inbox up to there. */
export function reached(user: string, device: string, inbox: number): Command {
  const common = { kind: CommandKind.cursors, ...SYSTEM_HEAD, origin: 1, request: 2 } as const
  return { ...common, conversations: [], inboxes: [{ user, device, inbox }] }
}

/** `[user, conv, kind, upTo, device?]` of each. */
export function cursors(
  ...acks: readonly (readonly [string, string, CursorAck['kind'], number, string?])[]
): Command {
  const conversations = [...new Set(acks.map(([, conv]) => conv))].map((conv) => {
    const of = acks.filter((ack) => ack[1] === conv)
    return {
      conv,
      acks: of.map(([user, , kind, upTo, device = 'phone']) => ({ user, device, kind, upTo })),
    }
  })
  const common = { kind: CommandKind.cursors, ...SYSTEM_HEAD, origin: 1, request: 2 } as const
  return { ...common, conversations, inboxes: [] }
}

export class ManualClock implements Clock {
  #now = 0
  #timers: { at: number; run: () => void }[] = []

  wallMs(): number {
    return this.#now
  }

  monotonicMs(): number {
    return this.#now
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#now + delayMs, run }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((each) => each !== timer)) }
  }

  defer(run: () => void): void {
    queueMicrotask(run)
  }

  advance(ms: number): void {
    this.#now += ms
    const due = this.#timers.filter((timer) => timer.at <= this.#now)
    this.#timers = this.#timers.filter((timer) => timer.at > this.#now)
    for (const timer of due) timer.run()
  }
}

export const fixedRandom: Random = {
  uint32: () => 0x1234_5678,
  bytes: (length) => new Uint8Array(length).fill(7),
}

export interface AppliedEvent extends ConversationEvent {
  readonly conv: string
  readonly toldTo: readonly string[]
}

export interface SeenReceipt extends Omit<AppliedReceipt, 'conversation' | 'writers'> {
  readonly conv: string
}

/** A machine with everything that it told its listener. */
export class Machine {
  readonly machine: ParleyStateMachine
  readonly directory: StoreDirectory
  readonly clock: ManualClock
  results: WriteResult[] = []
  events: AppliedEvent[] = []
  /** Of each event, to whom it was told, with the numbers that it took in their inboxes. */
  told: [user: string, inbox: number | null][][] = []
  receipts: SeenReceipt[] = []
  duplicates: { readonly conv: string; readonly seq: number; readonly from: string }[] = []

  private constructor(machine: ParleyStateMachine, directory: StoreDirectory, clock: ManualClock) {
    this.machine = machine
    this.directory = directory
    this.clock = clock
    const listener: ApplyListener = {
      onResult: (_origin, _request, result) => this.results.push(result),
      onEvent: (conversation, event) => {
        const told: [string, number | null][] = []
        conversation.forEachMember((user, inbox) => told.push([user, inbox]))
        this.told.push(told)
        const toldTo = told.map(([user]) => user)
        this.events.push({ ...event, conv: conversation.id, toldTo })
      },
      onReceipt: ({ conversation, user, device, kind, previous, upTo, at }) =>
        this.receipts.push({ conv: conversation.id, user, device, kind, previous, upTo, at }),
      onDuplicate: ({ id: conv }, seq, from) => this.duplicates.push({ conv, seq, from }),
      onApplied: () => {},
    }
    machine.listen(listener)
  }

  static async open(
    options: Partial<StateMachineOptions> & { readonly directory?: StoreDirectory } = {},
  ): Promise<Machine> {
    const clock = new ManualClock()
    const directory = options.directory ?? new MemoryStoreDirectory()
    const machine = await ParleyStateMachine.open({
      clock,
      random: fixedRandom,
      configuration: () => ({ voters: [], outgoing: [], learners: [] }),
      onFailure: (error) => {
        throw error
      },
      ...options,
      directory,
    })
    return new Machine(machine, directory, clock)
  }

  /** Applies the entry as a replica does, durable here at once, and returns its results. */
  async apply(entry: Entry): Promise<WriteResult[]> {
    this.machine.logPersisted(entry.index)
    const before = this.results.length
    await this.machine.prefetch(entry)
    this.machine.apply(entry)
    return this.results.slice(before)
  }

  /** Applies one batch right after the last entry; log time and wall time are `time`. */
  write(time: number, ...commands: Command[]): Promise<WriteResult[]> {
    return this.apply(batch(this.machine.appliedIndex + 1, time, commands))
  }

  async one(time: number, command: Command): Promise<WriteResult> {
    return (await this.write(time, command))[0]!
  }
}

export function batch(
  index: number,
  time: number,
  commands: readonly Command[],
  wallTime = time,
): Entry {
  const stamp = { logTime: time, wallTime }
  return { index, term: 1, type: 0, data: encodeBatch(stamp, commands.map(encodeCommand)) }
}

/** A memory store that pulls a cut's values only as far as the test lets it. */
export class PacedDirectory implements StoreDirectory {
  readonly damaged = null
  readonly inner: MemoryStoreDirectory
  readonly store: Store
  #allowed = Number.POSITIVE_INFINITY
  #waiting: (() => void) | null = null

  constructor(inner = new MemoryStoreDirectory()) {
    this.inner = inner
    const real = inner.store
    const pull = (puts: Iterable<Put>) => this.#pull(puts)
    this.store = new Proxy(real, {
      get: (target, name) => {
        if (name === 'checkpoint') {
          return async (cut: Cut) => {
            const ahead = await pull(cut.ahead)
            const objects = await pull(cut.objects)
            await target.checkpoint({ ...cut, ahead, objects })
          }
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /** From now on `count` values may be pulled, and no more before the next call. */
  allow(count: number): void {
    this.#allowed = count
    this.#waiting?.()
  }

  install(): Promise<StoreInstall> {
    return this.inner.install()
  }

  discard(): Promise<Store> {
    return this.inner.discard()
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  async #pull(puts: Iterable<Put>): Promise<Put[]> {
    const pulled: Put[] = []
    const iterator = puts[Symbol.iterator]()
    for (;;) {
      while (this.#allowed <= 0) await new Promise<void>((resolve) => (this.#waiting = resolve))
      this.#allowed -= 1
      const { value, done } = iterator.next()
      if (done === true) return pulled
      pulled.push({
        key: new Uint8Array(value.key),
        value: value.value && new Uint8Array(value.value),
      })
    }
  }
}
