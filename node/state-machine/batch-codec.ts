import { asBuffer, assert } from '#cluster'
import { CommandView } from './command-view.ts'

const FORMAT = 1
const HEAD_BYTES = 13

/** What a leader stamps on a whole batch (rule A8). */
export interface BatchStamp {
  /** ms; see rule A8: never falls, whoever leads. */
  readonly logTime: number
  /** ms since 1970 by the leader's wall, for display. */
  readonly wallTime: number
}

/** The data of one normal entry, as `commands.ts` lays it out. An empty batch is not an entry. */
export function encodeBatch(stamp: BatchStamp, commands: readonly Uint8Array[]): Uint8Array {
  assert(commands.length > 0, 'a batch holds at least one command')
  let size = HEAD_BYTES
  for (const command of commands) size += 4 + command.length
  const data = Buffer.allocUnsafeSlow(size)
  data[0] = FORMAT
  data.writeUIntLE(stamp.logTime, 1, 6)
  data.writeUIntLE(stamp.wallTime, 7, 6)
  let at = HEAD_BYTES
  for (const command of commands) {
    at = data.writeUInt32LE(command.length, at)
    data.set(command, at)
    at += command.length
  }
  return data
}

export function batchStamp(data: Uint8Array): BatchStamp {
  assert(data.length > HEAD_BYTES, 'an entry is shorter than the head of a batch')
  assert(data[0] === FORMAT, `batch of unknown format ${data[0]}: this node is too old for the log`)
  const buffer = asBuffer(data)
  return { logTime: buffer.readUIntLE(1, 6), wallTime: buffer.readUIntLE(7, 6) }
}

/** Visits the commands in order, decoded where they lie. Throws on anything unknown (rule A9). */
export function forEachCommand(data: Uint8Array, visit: (view: CommandView) => void): BatchStamp {
  const stamp = batchStamp(data)
  const buffer = asBuffer(data)
  let at = HEAD_BYTES
  while (at < buffer.length) {
    assert(at + 4 <= buffer.length, 'a batch ends inside a length')
    const end = at + 4 + buffer.readUInt32LE(at)
    assert(end <= buffer.length, 'a batch ends inside a command')
    visit(new CommandView(buffer, at + 4, end))
    at = end
  }
  return stamp
}
