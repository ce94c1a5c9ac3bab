import { describe, expect, test } from 'vitest'
import { History } from '../history/history.ts'
import { check, CHECKERS } from './index.ts'

/** Two nodes, one conversation, two senders: nothing wrong. */
function sound(): History {
  const history = new History()
  const events = [1, 2, 3, 4].map((n) => {
    const user = n % 2 === 1 ? 'ann' : 'bob'
    const send = history.send({
      conv: 'c',
      user,
      device: `${user}-phone`,
      msgId: `m${n}`,
      order: Math.ceil(n / 2),
      body: `body ${n}`,
    })
    send.acked = n
    if (n === 2) send.repeats.push({ seq: 2, duplicate: true })
    return {
      seq: n,
      kind: 'message',
      msgId: `m${n}`,
      from: user,
      device: `${user}-phone`,
      body: `body ${n}`,
    }
  })
  history.final({ node: 'n1', conv: 'c', events })
  history.final({ node: 'n2', conv: 'c', events: structuredClone(events) })
  return history
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object ? Mutable<T[K]> : T[K] }
type Events = Mutable<History['finals'][number]['events']>
const eventsOf = (history: History, at: number) => history.finals[at]!.events as Events

const mutations: Record<keyof typeof CHECKERS, (history: History) => void> = {
  acknowledgedNeverLost: (h) => h.finals.forEach((_, at) => eventsOf(h, at).pop()),
  noDuplicate: (h) =>
    h.finals.forEach((_, at) => eventsOf(h, at).push({ ...eventsOf(h, at)[0]!, seq: 5 })),
  orderAgreement: (h) => {
    const events = eventsOf(h, 1)
    ;[events[0]!.msgId, events[2]!.msgId] = [events[2]!.msgId, events[0]!.msgId]
  },
  gapless: (h) => h.finals.forEach((_, at) => eventsOf(h, at).splice(1, 1)),
  fifo: (h) => {
    for (const [at] of h.finals.entries()) {
      const events = eventsOf(h, at)
      const [a, c] = [events[0]!, events[2]!]
      events[0] = { ...c, seq: 1 }
      events[2] = { ...a, seq: 3 }
    }
  },
  noPhantom: (h) =>
    h.finals.forEach((_, at) =>
      eventsOf(h, at).push({ ...eventsOf(h, at)[0]!, seq: 5, msgId: 'x' }),
    ),
}

describe('the checkers', () => {
  test('pass a sound history', () => {
    expect(check(sound())).toEqual([])
  })

  test.each(Object.keys(CHECKERS))('%s sees its own violation', (name) => {
    const history = sound()
    mutations[name]!(history)
    expect(CHECKERS[name]!(history)).not.toEqual([])
  })

  test('a copy answered with another seq is a duplicate', () => {
    const history = sound()
    history.sends[1]!.repeats.push({ seq: 9, duplicate: false })
    expect(CHECKERS.noDuplicate!(history)).toHaveLength(1)
  })
})
