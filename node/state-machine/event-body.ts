import { assert, unreachable } from '#cluster'
import { ByteWriter } from './byte-writer.ts'
import type { CommandView } from './command-view.ts'
import { CommandKind, type ConversationOperation, type RetentionPolicy } from './commands.ts'
import { EventKind } from './types.ts'

export function eventKindOf(view: CommandView): EventKind {
  switch (view.kind) {
    case CommandKind.message:
      return EventKind.message
    case CommandKind.edit:
      return EventKind.edit
    case CommandKind.recall:
      return EventKind.recall
    case CommandKind.reaction:
      return EventKind.reaction
    case CommandKind.conversation:
      return view.operation().op === 'set' ? EventKind.settings : EventKind.member
    case CommandKind.refuse:
    case CommandKind.cursors:
    case CommandKind.settings:
    case CommandKind.retention:
    case CommandKind.account:
    case CommandKind.push:
    case CommandKind.level:
      assert(false, 'the command makes no event')
    // falls through: the assertion above never returns
    default:
      return unreachable(view.kind)
  }
}

/** The body of the event that the command makes, as it was sent; `null` if its kind has none. */
export function eventBody(view: CommandView): Uint8Array | null {
  if (view.kind === CommandKind.message || view.kind === CommandKind.edit) return view.body()
  if (view.kind === CommandKind.recall) return null
  if (view.kind === CommandKind.reaction) return reactionBody(view.reaction())
  return operationBody(view.operation())
}

function reactionBody({ reaction, on }: { reaction: string; on: boolean }): Uint8Array {
  const writer = new ByteWriter()
  map(writer, 2)
  text(text(writer, 'reaction'), reaction)
  boolean(text(writer, 'on'), on)
  return writer.toBytes()
}

/**
 * The body of a member or settings event: a msgpack map that says what changed. Written by hand, as
 * the bytes must be the same on every node and in every version; `meta` stands in it as it came.
 */
function operationBody(operation: ConversationOperation): Uint8Array {
  const writer = new ByteWriter()
  const { op } = operation
  switch (op) {
    case 'create':
      map(writer, 4)
      text(text(writer, 'op'), op)
      array(text(writer, 'members'), operation.members.length)
      for (const member of operation.members) text(writer, member)
      textOrNull(text(writer, 'name'), operation.name)
      valueOrNull(text(writer, 'meta'), operation.meta)
      break
    case 'add':
    case 'role':
      map(writer, 3)
      text(text(writer, 'op'), op)
      text(text(writer, 'user'), operation.member)
      text(text(writer, 'role'), operation.role)
      break
    case 'remove':
      map(writer, 2)
      text(text(writer, 'op'), op)
      text(text(writer, 'user'), operation.member)
      break
    case 'leave':
      map(writer, 1)
      text(text(writer, 'op'), op)
      break
    case 'set': {
      const { name, meta, retention, history } = operation
      const changes = [name, meta, retention, history]
      map(writer, 1 + changes.filter((change) => change !== undefined).length)
      text(text(writer, 'op'), op)
      if (name !== undefined) textOrNull(text(writer, 'name'), name)
      if (meta !== undefined) valueOrNull(text(writer, 'meta'), meta)
      if (retention !== undefined) {
        valueOrNull(text(writer, 'retention'), retention === null ? null : policyValue(retention))
      }
      if (history !== undefined) boolean(text(writer, 'history'), history)
      break
    }
    case 'direct':
    case 'block':
    case 'unblock':
      assert(false, `${op} is no event`)
    // falls through: the assertion above never returns
    default:
      unreachable(op)
  }
  return writer.toBytes()
}

/** A policy as clients send and get it. */
export function policyValue(policy: RetentionPolicy): Uint8Array {
  const writer = new ByteWriter()
  const names = (['maxAgeMs', 'maxCount', 'maxBytes'] as const).filter(
    (name) => policy[name] !== undefined,
  )
  map(writer, names.length)
  for (const name of names) unsigned(text(writer, name), policy[name]!)
  return writer.toBytes()
}

function boolean(writer: ByteWriter, value: boolean): ByteWriter {
  return writer.u8(value ? 0xc3 : 0xc2)
}

function unsigned(writer: ByteWriter, value: number): ByteWriter {
  if (value <= 0x7f) return writer.u8(value)
  if (value <= 0xffff_ffff) return big(writer.u8(0xce), value, 4)
  return big(big(writer.u8(0xcf), Math.floor(value / 2 ** 32), 4), value % 2 ** 32, 4)
}

function map(writer: ByteWriter, pairs: number): ByteWriter {
  return writer.u8(0x80 | pairs)
}

function array(writer: ByteWriter, length: number): ByteWriter {
  if (length <= 15) return writer.u8(0x90 | length)
  if (length <= 0xffff) return big(writer.u8(0xdc), length, 2)
  return big(writer.u8(0xdd), length, 4)
}

function text(writer: ByteWriter, value: string): ByteWriter {
  const length = Buffer.byteLength(value)
  if (length <= 31) writer.u8(0xa0 | length)
  else if (length <= 0xff) writer.u8(0xd9).u8(length)
  else if (length <= 0xffff) big(writer.u8(0xda), length, 2)
  else big(writer.u8(0xdb), length, 4)
  return writer.text(value, length)
}

function textOrNull(writer: ByteWriter, value: string | null): ByteWriter {
  return value === null ? writer.u8(0xc0) : text(writer, value)
}

function valueOrNull(writer: ByteWriter, value: Uint8Array | null): ByteWriter {
  return value === null || value.length === 0 ? writer.u8(0xc0) : writer.raw(value)
}

/** msgpack's own integers are big-endian. */
function big(writer: ByteWriter, value: number, bytes: 2 | 4): ByteWriter {
  for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) writer.u8((value >>> shift) & 0xff)
  return writer
}
