import { describe, expect, it } from 'vitest'
import { type Entry, EntryType } from '#cluster'
import { encodeBatch } from '../state-machine/batch-codec.ts'
import { encodeSubmission } from '../state-machine/command-codec.ts'
import { CommandKind, type Submission, SYSTEM_HEAD } from '../state-machine/commands.ts'
import { isExempt, needOf } from './command-need.ts'

const HEAD = { user: 'ann', device: 'phone', msgId: 'm', prev: null, since: null }
const message: Submission = {
  kind: CommandKind.message,
  ...HEAD,
  conv: 'g~1',
  to: null,
  replyTo: null,
  large: false,
  body: Uint8Array.of(1),
}
const policy: Submission = {
  kind: CommandKind.conversation,
  ...HEAD,
  conv: 'g~1',
  operation: { op: 'set', retention: { maxCount: 1 } },
}
const rename: Submission = { ...policy, operation: { op: 'set', name: 'n' } }
const removal: Submission = {
  kind: CommandKind.retention,
  ...SYSTEM_HEAD,
  removal: { op: 'truncate', from: 'g~1', upTo: 7 },
}
const cursors: Submission = {
  kind: CommandKind.cursors,
  ...SYSTEM_HEAD,
  conversations: [],
  inboxes: [{ user: 'ann', device: 'phone', inbox: 3 }],
}
const settings: Submission = {
  kind: CommandKind.settings,
  ...SYSTEM_HEAD,
  changes: { windowMs: 3_600_000 },
}

const bytes = (submission: Submission) => encodeSubmission(submission, 1, 1)

function entry(type: EntryType, ...submissions: readonly Submission[]): Entry {
  const stamp = { logTime: 1, wallTime: 1 }
  const data =
    submissions.length === 0 ? new Uint8Array(0) : encodeBatch(stamp, submissions.map(bytes))
  return { index: 1, term: 1, type, data }
}

describe('what a command asks of a disk', () => {
  it.each([
    ['a message', message, 'room'],
    ['a name', rename, 'room'],
    ['a policy', policy, 'none'],
    ['a removal', removal, 'none'],
    ['settings', settings, 'none'],
    ['acknowledgements', cursors, 'little'],
    ['log time for what is to be erased', { ...cursors, inboxes: [] }, 'none'],
  ] as const)('[D4] %s', (_, submission, need) => {
    expect(needOf(bytes(submission))).toBe(need)
  })

  it('[D5] an entry is exempt if all of it is', () => {
    const { normal, configuration } = EntryType
    expect(isExempt(entry(normal))).toBe(true)
    expect(isExempt(entry(configuration))).toBe(true)
    expect(isExempt(entry(normal, removal, cursors, policy))).toBe(true)
    expect(isExempt(entry(normal, removal, message))).toBe(false)
    expect(isExempt(entry(normal, message))).toBe(false)
    expect(isExempt({ ...entry(normal, removal), data: Uint8Array.of(9, 9, 9) })).toBe(false)
  })
})
