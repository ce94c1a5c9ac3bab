import { assert, unreachable } from '#cluster'
import { ByteWriter } from './byte-writer.ts'
import type { ConversationOperation } from './commands.ts'
import { EventKind } from './types.ts'

/** A name or meta change is a settings event, everything else that an operation does is a member one. */
export function eventKindOf(operation: ConversationOperation): EventKind {
  return operation.op === 'set' ? EventKind.settings : EventKind.member
}

/**
 * The body of a member or settings event: a msgpack map that says what changed. Written by hand, as
 * the bytes must be the same on every node and in every version; `meta` stands in it as it came.
 */
export function eventBody(operation: ConversationOperation): Uint8Array {
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
      const { name, meta } = operation
      map(writer, 1 + (name === undefined ? 0 : 1) + (meta === undefined ? 0 : 1))
      text(text(writer, 'op'), op)
      if (name !== undefined) textOrNull(text(writer, 'name'), name)
      if (meta !== undefined) valueOrNull(text(writer, 'meta'), meta)
      break
    }
    case 'direct':
      assert(false, 'opening a direct conversation is no event')
    // falls through: the assertion above never returns
    default:
      unreachable(op)
  }
  return writer.toBytes()
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
