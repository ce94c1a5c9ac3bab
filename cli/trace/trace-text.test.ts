import { expect, test } from 'vitest'
import { type NodeTrace, noTraceText, traceText } from './trace-text.ts'

const TRACE: NodeTrace = {
  ...{ found: true, conv: 'c_1', seq: 7, kind: 'message', msgId: 'm1', from: 'ann', device: 'd' },
  ...{ at: 0, replyTo: 3, bodyBytes: 12, edited: null, recalled: false, expired: false },
  log: { index: 40, term: 2 },
  changes: [{ seq: 9, kind: 'edit', from: 'ann', at: 1_000 }],
  ...{ members: 3, delivered: 2, read: 1 },
  receipts: [
    { user: 'bob\u001b[2J', delivered: true, read: true },
    { user: 'cid', delivered: true, read: false },
  ],
}

const HERE = { why: null, through: null }

test('a life is told in lines, and which node has it', () => {
  const text = traceText(TRACE, [
    { ...HERE, node: 'n1', trace: TRACE, persisted: 50, applied: 48 },
    { ...HERE, node: 'n2', trace: { found: false, conv: 'c_1' }, persisted: 39, applied: 39 },
    { ...HERE, node: 'n3', trace: null, why: 'ECONNREFUSED', persisted: null, applied: null },
    { ...HERE, node: 'n4', trace: TRACE, through: 'n1', persisted: 50, applied: 48 },
  ])
  expect(text.split('\n')).toEqual([
    'message m1 of ann (d) · c_1 · seq 7',
    '',
    '  accepted   1970-01-01T00:00:00.000Z, an answer to 3',
    '  log        index 40, term 2',
    '  body       12 bytes',
    '  edit       seq 9 by ann, 1970-01-01T00:00:01.000Z',
    '  delivered  to 2 of 2 others',
    '  read       by 1 of 2 others',
    '    bob\ufffd[2J: read',
    '    cid: delivered',
    '',
    'NODE  APPLIED  IN ITS LOG ON DISK  APPLIED UP TO  NOTE',
    'n1    yes      yes                 48',
    'n2    no       no                  39',
    'n3    -        -                   -              ECONNREFUSED',
    'n4    yes      yes                 48             reached through n1 only',
  ])
})

test('what became of a body is said', () => {
  const body = (more: Partial<NodeTrace>) =>
    /body +(.*)/.exec(traceText({ ...TRACE, ...more }, []))?.[1]
  expect(body({ recalled: true, bodyBytes: null })).toBe('taken back by a recall')
  expect(body({ expired: true, bodyBytes: null })).toBe('removed by retention or an erasure')
  expect(body({ edited: 9 })).toBe('12 bytes, as edited by seq 9')
})

test('what is not there, and how far was looked, is told clearly', () => {
  const none = { found: false, conv: 'c_1', firstSeq: 1, head: 9, searchedFrom: 1 }
  expect(noTraceText(none)).toBe('c_1 keeps no such message among its events up to 9')
  expect(noTraceText({ ...none, firstSeq: 5, searchedFrom: 5 })).toContain('everything before 5')
  expect(noTraceText({ ...none, head: 90_000, searchedFrom: 70_001 })).toContain('with --seq')
})
