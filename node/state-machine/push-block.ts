import { assert } from '#cluster'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { PUSH_KINDS } from './push-target.ts'
import { TableObject } from './object-table.ts'
import type { PushSubscription } from './types.ts'

const FORMAT = 1
const CLAIMS = ['none', 'claimed', 'done'] as const
const NOTHING: readonly PushSubscription[] = []

/** The push subscriptions of the users of one block. */
export class PushBlock extends TableObject {
  readonly users = new Map<string, readonly PushSubscription[]>()

  static decode(id: string, bytes: Uint8Array): PushBlock {
    const block = new PushBlock(id)
    const reader = new ByteReader(bytes)
    const format = reader.u8()
    assert(format === FORMAT, `push subscriptions of unknown format ${format}`)
    for (let users = reader.varint(); users > 0; users -= 1) {
      const user = reader.string()
      const list: PushSubscription[] = []
      for (let left = reader.varint(); left > 0; left -= 1) list.push(readSubscription(reader))
      block.users.set(user, list)
    }
    reader.end('a block of push subscriptions')
    return block
  }

  of(user: string): readonly PushSubscription[] {
    return this.users.get(user) ?? NOTHING
  }

  set(user: string, list: readonly PushSubscription[]): void {
    if (list.length === 0) this.users.delete(user)
    else this.users.set(user, list)
  }

  encode(): Uint8Array {
    const writer = new ByteWriter().u8(FORMAT).varint(this.users.size)
    for (const [user, list] of this.users) {
      writer.string(user).varint(list.length)
      for (const { device, target, told, claim } of list) {
        writer.string(device).u8(PUSH_KINDS.indexOf(target.kind)).string(target.endpoint)
        if (target.kind === 'web') writer.string(target.p256dh).string(target.auth)
        writer.varint(told).u8(CLAIMS.indexOf(claim))
      }
    }
    return writer.toBytes()
  }
}

function readSubscription(reader: ByteReader): PushSubscription {
  const device = reader.string()
  const kind = PUSH_KINDS[reader.u8()]
  assert(kind !== undefined, 'a push subscription is of unknown kind')
  const endpoint = reader.string()
  const target =
    kind === 'web'
      ? { kind, endpoint, p256dh: reader.string(), auth: reader.string() }
      : { kind, endpoint }
  const told = reader.varint()
  const claim = CLAIMS[reader.u8()]
  assert(claim !== undefined, 'a push subscription has an unknown claim')
  return { device, target, told, claim }
}
