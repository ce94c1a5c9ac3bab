import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ChatMessage } from '#client'
import { messageLine } from './message-line.ts'

const AT = Date.UTC(2026, 0, 31, 23, 30, 5)

const message = (changes: Partial<ChatMessage> = {}): ChatMessage => ({
  conversation: 'd_1',
  seq: 7,
  kind: 'message',
  ord: 7,
  msgId: 'm',
  from: 'alice',
  device: 'laptop',
  at: AT,
  body: 'hi',
  replyTo: null,
  target: null,
  edited: null,
  recalled: false,
  expired: false,
  redelivered: false,
  ...changes,
})

const line = (changes: Partial<ChatMessage> = {}, nowMs = AT, maxCharacters = 1_000) =>
  messageLine(message(changes), { nowMs, maxCharacters })

beforeEach(() => vi.stubEnv('TZ', 'Asia/Kolkata'))
afterEach(() => vi.unstubAllEnvs())

test('the time is that of the reader’s clock, with the date if it is not of today', () => {
  expect(line()).toBe('05:00:05  d_1  7  alice: hi')
  expect(line({}, AT + 24 * 3_600_000)).toBe('2026-02-01 05:00:05  d_1  7  alice: hi')
})

test('an answer names what it answers', () => {
  expect(line({ replyTo: 3 })).toContain('7  alice (to 3): hi')
})

test('what is gone says so', () => {
  expect(line({ recalled: true, body: undefined })).toContain('alice: (recalled)')
  expect(line({ expired: true, body: undefined })).toContain('alice: (expired)')
})

test('a body that is no text is shown as JSON', () => {
  expect(line({ body: { a: [1, null] } })).toContain('alice: {"a":[1,null]}')
})

test('a long text is cut between characters, and its length told', () => {
  expect(line({ body: 'abcdef' }, AT, 6)).toMatch(/alice: abcdef$/)
  expect(line({ body: 'abc😀def' }, AT, 4)).toContain('alice: abc… (8 characters, --json')
})

test('what could drive a terminal is spelled out; emoji and letters that need joiners are not', () => {
  expect(line({ body: 'a\u001b[31m\u202e\u2028\nb' })).toContain(
    String.raw`a\u001b[31m\u202e\u2028⏎b`,
  )
  expect(line({ body: '👩‍👩‍👧 می‌خواهم' })).toContain('👩‍👩‍👧 می‌خواهم')
})
