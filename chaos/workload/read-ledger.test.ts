import { describe, expect, test } from 'vitest'
import { check } from '../checkers/index.ts'
import type { PropertyViolation } from '../checkers/raft/raft-checker.ts'
import { History, type ReadEvent, type SendRecord } from '../history/history.ts'
import { ReadLedger } from './read-ledger.ts'

const event = (seq: number, msgId = `m${seq}`): ReadEvent => ({
  seq,
  kind: 'message',
  msgId,
  from: 'ann',
  device: 'phone',
  body: msgId,
})

function send(history: History, order: number, acked: number | null): SendRecord {
  const record = history.send({
    conv: 'c',
    user: 'ann',
    device: 'phone',
    msgId: `m${order}`,
    order,
    body: `m${order}`,
  })
  if (acked !== null) history.acknowledge(record, acked)
  return record
}

const judged = (history: History, events: readonly ReadEvent[]): string[] => {
  history.final({ node: 'n1', conv: 'c', events })
  return check(history).map(({ property }) => property)
}

describe('what is left at the end', () => {
  test('[P1] an acknowledged message that is gone', () => {
    const history = new History()
    send(history, 1, 1)
    send(history, 2, 2)
    expect(judged(history, [event(1)])).toContain('P1')
  })

  test('[P5] two messages of one device in the wrong order', () => {
    const history = new History()
    send(history, 1, null)
    send(history, 2, null)
    expect(judged(history, [event(1, 'm2'), event(2, 'm1')])).toContain('P5')
  })

  test('[P7] a message that nobody sent, or that was refused for good', () => {
    const history = new History()
    send(history, 1, null).refused = 'NOT_MEMBER'
    expect(judged(history, [event(1)])).toEqual(['P7'])
    expect(judged(new History(), [event(1)])).toEqual(['P7'])
  })
})

describe('what clients are shown meanwhile', () => {
  const ledger = () => {
    const violations: PropertyViolation[] = []
    const made = new ReadLedger((violation) => violations.push(violation))
    return { ledger: made, properties: () => violations.map(({ property }) => property) }
  }
  const page = (events: readonly ReadEvent[], after = 0, upTo = events.at(-1)?.seq ?? after) => ({
    events,
    after,
    upTo,
    hasMore: false,
  })

  test('[P3] a seq that shows another message than before', () => {
    const { ledger: l, properties } = ledger()
    l.endRead(l.beginRead('a', 'c', false), page([event(1)]))
    l.pushed('b', { conv: 'c', seq: 1, from: 'ann', msgId: 'm1' })
    expect(properties()).toEqual([])
    l.endRead(l.beginRead('b', 'c', false), page([event(1, 'other')]))
    expect(properties()).toEqual(['P3'])
  })

  test('[P4] a page with a hole', () => {
    const { ledger: l, properties } = ledger()
    l.endRead(l.beginRead('a', 'c', false), page([event(1), event(3)]))
    expect(properties()).toEqual(['P4'])
  })

  test('[P6] a linearizable read without what another was acknowledged before', () => {
    const { ledger: l, properties } = ledger()
    const early = l.beginRead('b', 'c', true)
    l.acknowledged('c', 1, send(new History(), 1, null))
    l.endRead(early, page([]))
    l.endRead(l.beginRead('b', 'c', false), page([]))
    expect(properties()).toEqual([])
    l.endRead(l.beginRead('b', 'c', true), page([]))
    expect(properties()).toEqual(['P6'])
  })

  test('[P6] a read that goes back behind what its device has seen', () => {
    const { ledger: l, properties } = ledger()
    l.endRead(l.beginRead('a', 'c', false), page([event(1), event(2)]))
    l.endRead(l.beginRead('a', 'c', false), page([event(1)]))
    expect(properties()).toEqual(['P6'])
  })

  test('[P11] a session that is pushed the same twice', () => {
    const { ledger: l, properties } = ledger()
    const one = { conv: 'c', seq: 1, from: 'ann', msgId: 'm1' }
    l.pushed('a', one)
    l.sessionEnded('a')
    l.pushed('a', one)
    expect(properties()).toEqual([])
    l.pushed('a', one)
    expect(properties()).toEqual(['P11'])
  })
})
