import { PeerProtocolError } from '#cluster'
import { encodeBody, LIMITS } from '#protocol'
import { decodeForward } from '../../../node/forward-frame.ts'
import { refusalOf } from '../../../node/forwarded-command.ts'
import { encodeBatch } from '../../../node/state-machine/batch-codec.ts'
import { decodeCommand, encodeCommand } from '../../../node/state-machine/command-codec.ts'
import { CommandFormatError } from '../../../node/state-machine/command-view.ts'
import {
  directConversationId,
  groupConversationId,
} from '../../../node/state-machine/conversation-id.ts'
import {
  CommandKind,
  type Command,
  type ConversationOperation,
  type CursorAck,
  type Removal,
  type RetentionPolicy,
  SYSTEM_HEAD,
} from '../../../node/state-machine/commands.ts'
import {
  create,
  erase,
  Machine,
  message,
  push,
  revoke,
  setting,
} from '../../../node/state-machine/testing.ts'
import { MemoryStoreDirectory } from '../../../node/store/memory-store-directory.ts'
import type { Prng } from '../../prng.ts'
import { mutate } from '../mutate.ts'
import { refusalOr, type Target, violated } from '../target.ts'

const USERS = ['alice', 'bob', 'carol']
const ROLES = ['owner', 'admin', 'member'] as const
const CODES = ['CANCELLED', 'REJECTED_SPAM', 'USER_BLOCKED', 'FORBIDDEN'] as const

/** Commands as a gateway makes them: few users and ids, so that they meet each other's state. */
export function randomCommand(random: Prng, conversations: readonly string[]): Command {
  const name = (): string => random.pick(USERS)
  const common = {
    origin: random.below(3),
    request: random.below(1000),
    user: name(),
    device: 'phone',
    msgId: `m${random.below(40)}`,
    prev: random.chance(0.2) ? `m${random.below(40)}` : null,
    since: random.chance(0.2) ? random.below(2000) : null,
  }
  const conv = random.pick(conversations)
  const bytes = (): Uint8Array => encodeBody('x'.repeat(random.below(20)))
  if (random.chance(0.06)) {
    const windowMs = random.pick([0, 1_000, 2_000, 86_400_000])
    const ofDevice = random.chance(0.5) ? null : common.device
    if (random.chance(0.2)) return erase(name())
    if (random.chance(0.4)) return randomPush(random, name())
    return random.chance(0.5)
      ? setting(random.chance(0.5) ? { windowMs } : { groupMembers: random.below(5) })
      : revoke(name(), ofDevice, random.below(2_000))
  }
  const kind = random.below(18)
  if (kind === 17) {
    const ack = (): CursorAck => ({
      user: name(),
      device: 'phone',
      kind: random.chance(0.5) ? 'delivered' : 'read',
      upTo: 1 + random.below(9),
    })
    const { origin, request } = common
    const inboxes = random.chance(0.3) ? [{ user: name(), device: 'phone', inbox: 3 }] : []
    const of = [{ conv, acks: [ack(), ack()] }]
    return {
      kind: CommandKind.cursors,
      ...SYSTEM_HEAD,
      origin,
      request,
      conversations: of,
      inboxes,
    }
  }
  if (kind < 5) {
    const replyTo = random.chance(0.2) ? random.below(9) : null
    const place = random.chance(0.8) ? { conv, to: null } : { conv: null, to: name() }
    const large = random.chance(0.1)
    return { kind: CommandKind.message, ...common, ...place, replyTo, large, body: bytes() }
  }
  if (kind === 5) return { kind: CommandKind.refuse, ...common, conv, code: random.pick(CODES) }
  if (kind > 11) return targetOrRemoval(random, { ...common, conv }, bytes())
  const operations: readonly (() => ConversationOperation)[] = [
    () => ({ op: 'create', members: [name(), name()], name: 'n', meta: bytes() }),
    () => ({ op: 'direct', with: name() }),
    () => ({ op: 'add', member: name(), role: random.chance(0.5) ? 'admin' : 'member' }),
    () => ({ op: 'remove', member: name() }),
    () => ({ op: 'role', member: name(), role: random.pick(ROLES) }),
    () => ({ op: 'leave' }),
    () => ({ op: 'set', name: random.chance(0.5) ? null : 'x', meta: bytes() }),
    () => ({ op: 'set', retention: policy(random), history: random.chance(0.5) }),
    () => ({ op: 'block', member: name() }),
    () => ({ op: 'unblock', member: name() }),
  ]
  const operation = random.pick(operations)()
  const ofUser = ['create', 'direct', 'block', 'unblock'].includes(operation.op)
  return { kind: CommandKind.conversation, ...common, conv: ofUser ? '' : conv, operation }
}

/** Of one device, so that claims meet their subscription. */
function randomPush(random: Prng, user: string): Command {
  const inbox = 1 + random.below(9)
  const target = { kind: 'webhook' as const, endpoint: `e${random.below(2)}` }
  return random.pick([
    push(user, 'phone', { op: 'subscribe', target }),
    push(user, 'phone', { op: 'claim', inbox }),
    push(user, 'phone', { op: 'done', inbox }),
    push(user, 'phone', { op: 'seen' }),
    push(user, 'phone', { op: 'unsubscribe', endpoint: random.chance(0.5) ? null : 'e1' }),
  ])
}

type Head = Omit<Extract<Command, { kind: 5 }>, 'kind' | 'target'>

/** What is about an earlier event: of a client, or of a leader's retention. */
function targetOrRemoval(random: Prng, head: Head, body: Uint8Array): Command {
  const target = 1 + random.below(9)
  const { origin, request, conv: from } = head
  switch (random.below(4)) {
    case 0:
      return { kind: CommandKind.edit, ...head, target, body }
    case 1:
      return { kind: CommandKind.recall, ...head, target }
    case 2:
      return { kind: CommandKind.reaction, ...head, target, reaction: '+1', on: random.chance(0.8) }
  }
  const removal: Removal = random.chance(0.5)
    ? { op: 'truncate', from, upTo: target }
    : { op: 'expire', from, seqs: [target, target + 1 + random.below(3)] }
  return { kind: CommandKind.retention, ...SYSTEM_HEAD, origin, request, removal }
}

function policy(random: Prng): RetentionPolicy | null {
  if (random.chance(0.2)) return null
  return random.chance(0.5) ? { maxCount: 1 + random.below(9) } : { maxAgeMs: 7, maxBytes: 2 ** 40 }
}

/** One command, as it stands in the log and in the store. */
export class Commands implements Target {
  make(random: Prng): Uint8Array {
    if (random.chance(0.02)) return random.bytes(random.below(60))
    const bytes = encodeCommand(randomCommand(random, ['c1', 'g2']))
    return mutate(random, bytes, [encodeCommand(randomCommand(random, ['c1', 'g2']))])
  }

  judge(bytes: Uint8Array): string | null {
    const result = refusalOr([CommandFormatError], () => decodeCommand(bytes))
    if ('refusal' in result) return result.refusal
    const { user, device, msgId, prev, conv } = result.value
    // What is no UTF-8 gets longer as text: a gateway lets none in.
    if ([user, device, msgId, prev, conv].join('').includes('\ufffd')) return null
    const encoded = encodeCommand(result.value)
    if (Buffer.compare(encodeCommand(decodeCommand(encoded)), encoded) !== 0) {
      violated('a command comes back as another one')
    }
    return null
  }
}

/**
 * Forwarded commands that a leader takes go into the log, and then every node applies them, now and
 * at every start: whatever is let in must not stop apply, nor a checkpoint, nor a start (rule A9).
 */
export class Forwarded implements Target {
  readonly allowedBytes = 16 << 20
  readonly #group = groupConversationId('alice', 'm0')
  readonly #conversations = [this.#group, directConversationId('alice', 'bob'), 'c1']

  make(random: Prng): Uint8Array {
    const command = (): Uint8Array => encodeCommand(randomCommand(random, this.#conversations))
    const changed = (): Uint8Array =>
      random.chance(0.5) ? command() : mutate(random, command(), [command()])
    const body = forwardBody(Array.from({ length: 1 + random.below(4) }, changed))
    return random.chance(0.1) ? mutate(random, body, [body]) : body
  }

  async judge(body: Uint8Array): Promise<string | null> {
    const result = refusalOr([PeerProtocolError], () => decodeForward(body))
    if ('refusal' in result) return result.refusal
    const taken: Uint8Array[] = []
    let refusal: string | null = null
    for (const { command } of result.value) {
      const code = refusalOf(command, LIMITS, 2)
      refusal ??= code
      if (code === null) taken.push(Uint8Array.from(command))
    }
    if (taken.length > 0) await this.#apply(taken)
    return refusal
  }

  async #apply(commands: readonly Uint8Array[]): Promise<void> {
    const directory = new MemoryStoreDirectory()
    const machine = await Machine.open({ directory })
    const { user, device } = { user: 'alice', device: 'phone' }
    await machine.write(
      1,
      create({ user, device, msgId: 'm0' }, 'bob'),
      message({ user, device, msgId: 'm1', conv: this.#group }),
      message({ user: 'bob', device, msgId: 'm2', to: 'alice' }),
    )
    const data = encodeBatch({ logTime: 2, wallTime: 2 }, commands)
    await machine.apply({ index: 2, term: 1, type: 0, data })
    await machine.machine.checkpoint()
    await machine.machine.close()
    const again = await Machine.open({ directory })
    await again.one(3, message({ user, device, msgId: 'm3', conv: this.#group }))
    await again.machine.close()
  }
}

/** A forward frame's body: u32 length and bytes, repeated. */
function forwardBody(commands: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    commands.flatMap((command) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(command.length)
      return [length, command]
    }),
  )
}
