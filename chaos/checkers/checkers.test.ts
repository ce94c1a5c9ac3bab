import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type {
  History,
  PushRecord,
  ReadRecord,
  SendRecord,
  ShownEvent,
  WireEvent,
} from '../history/history.ts'
import { soundHistory } from '../history/testing/sound-history.ts'
import { check, CHECKERS } from './index.ts'

type Property = keyof typeof CHECKERS
type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> }

/** One bug, put into a sound history. */
interface Mutation {
  readonly property: Property
  readonly title: string
  readonly make: (history: History) => void
}

const mutable = <T>(value: T): Mutable<T> => value as Mutable<T>

/** Shows something else at a place of a list of events. */
function forge(
  history: History,
  list: readonly ShownEvent[],
  at: number,
  other: Partial<WireEvent>,
) {
  const { conv, shown, by, ...wire } = list[at]!
  const who = () => by
  const event = { ...wire, ...other }
  ;(list as ShownEvent[])[at] = history.shown.intern(conv, event, shown, who)
}

const finalsOf = (history: History, conv: string) =>
  history.finals.filter((final) => final.conv === conv).map(({ events }) => events as ShownEvent[])

function firstSend(history: History, fits: (send: SendRecord) => boolean): Mutable<SendRecord> {
  const found = history.sends.find(fits)
  if (found === undefined) throw new Error('no send of this history fits')
  return mutable(found)
}

function firstRead(history: History, fits: (read: ReadRecord) => boolean): Mutable<ReadRecord> {
  const found = history.reads.find(fits)
  if (found === undefined) throw new Error('no read of this history fits')
  return mutable(found)
}

/** The node answers as if the last of what the read shows had never been. */
function shorten(read: Mutable<ReadRecord>, upTo: number): void {
  read.upTo = upTo
  read.events = read.events.filter(({ seq }) => seq <= upTo)
}

const twoOf = (history: History, fits: (a: SendRecord, b: SendRecord) => boolean) => {
  for (const a of history.acknowledged) {
    const b = history.acknowledged.find((other) => other !== a && fits(a, other))
    if (b !== undefined) return [mutable(a), mutable(b)] as const
  }
  throw new Error('no two sends of this history fit')
}

const lastPush = (history: History): Mutable<PushRecord> =>
  mutable(history.pushes.findLast(({ event }) => event !== null)!)

/** Where a delivery stands that has one before it and one behind it in its stream. */
function deliveredBetween({ deliveries }: History): number {
  return deliveries.findIndex(({ stream, conv, event }) => {
    const isNeighbour = (by: number) =>
      deliveries.some(
        (one) => one.stream === stream && one.conv === conv && one.event.seq === event.seq + by,
      )
    return isNeighbour(-1) && isNeighbour(1)
  })
}

const recoveryOf = (history: History) => mutable(history.recovery!)

const MUTATIONS: readonly Mutation[] = [
  mutation('[P1] the end of a conversation is lost everywhere', (h) => {
    const { conv } = h.acknowledged.toSorted((a, b) => a.acked! - b.acked!).at(-1)!
    const highest = Math.max(...h.acknowledged.filter((s) => s.conv === conv).map((s) => s.acked!))
    for (const events of finalsOf(h, conv)) events.splice(highest - 1)
  }),
  mutation('[P1] one message is lost on one node', (h) => {
    const { conv, acked } = h.acknowledged[1]!
    finalsOf(h, conv)[1]!.splice(acked! - 1, 1)
  }),
  mutation('[P1] one node lost a conversation', (h) => {
    finalsOf(h, h.acknowledged[0]!.conv)[2]!.splice(0)
  }),
  mutation('[P1] one node was not read', (h) => {
    h.finals.splice(0, 1)
  }),
  mutation('[P1] a body changed on one node', (h) => {
    const { conv, acked } = h.acknowledged[0]!
    forge(h, finalsOf(h, conv)[0]!, acked! - 1, { body: 'something else' })
  }),
  mutation('[P1] a page skips an acknowledged message', (h) => {
    const acked = new Set(h.acknowledged.map(({ conv, acked: seq }) => `${conv}#${seq}`))
    const early = firstRead(h, (read) =>
      read.events.slice(0, -1).some((event) => acked.has(`${read.conv}#${event.seq}`)),
    )
    const at = early.events.findIndex(({ seq }) => acked.has(`${early.conv}#${seq}`))
    const send = h.acknowledged.find(
      ({ conv, acked: seq }) => conv === early.conv && seq === early.events[at]!.seq,
    )!
    mutable(send).ackedAt = Math.min(send.ackedAt, early.asked - 1)
    early.events.splice(at, 1)
  }),

  mutation('[P2] a message stands at the end once more', (h) => {
    for (const events of finalsOf(h, 'c1')) {
      const message = events.find(({ kind }) => kind === 'message')!
      events.push(message)
      forge(h, events, events.length - 1, { seq: events.length })
    }
  }),
  mutation('[P2] a copy is answered with another seq', (h) => {
    const send = firstSend(h, ({ verdicts }) => verdicts.filter((v) => v.duplicate).length > 0)
    const { device, node, mark } = send.verdicts[0]!
    h.accept(send, { seq: send.acked! + 1, duplicate: true, device, node, mark })
  }),
  mutation('[P2] two copies are both taken for new', (h) => {
    const send = firstSend(h, ({ verdicts }) =>
      verdicts.some((v) => v.seq !== null && !v.duplicate),
    )
    const { at, ord, device, node, mark } = send.verdicts.find((v) => v.seq !== null)!
    h.accept(send, { seq: send.acked, at, ord, duplicate: false, device, node, mark })
  }),

  mutation('[P3] two messages are swapped on one node', (h) => {
    const events = finalsOf(h, 'c1')[1]!
    const [one, other] = [events.at(-1)!, events.at(-2)!]
    const of = ({ msgId, from, device, body }: ShownEvent) => ({ msgId, from, device, body })
    forge(h, events, events.length - 1, of(other))
    forge(h, events, events.length - 2, of(one))
  }),
  mutation('[P3] a push shows another time', (h) => {
    const push = lastPush(h)
    const list = [push.event!]
    forge(h, list, 0, { at: push.event!.at + 1 })
  }),
  mutation('[P3] a sender was told another ord', (h) => {
    mutable(firstSend(h, ({ acked }) => acked !== null).verdicts[0]!).ord! += 1
  }),
  mutation('[P3] two writes were acknowledged at one seq', (h) => {
    const [a, b] = twoOf(h, (x, y) => x.conv === y.conv)
    a.acked = b.acked
  }),

  mutation('[P16] an inbox number is left out', (h) => {
    mutable(h.inboxes[1]!).entries = h.inboxes[1]!.entries.map((entry) => ({
      ...entry,
      inbox: entry.inbox < 5 ? entry.inbox : entry.inbox + 1,
    }))
  }),
  mutation('[P16] an inbox holds an event twice', (h) => {
    const { entries } = h.inboxes[2]!
    const again = [...entries.slice(0, 6), ...entries.slice(5)]
    mutable(h.inboxes[2]!).entries = again.map((entry, at) => ({ ...entry, inbox: at + 1 }))
  }),
  mutation('[P16] an inbox lacks the end of a conversation', (h) => {
    mutable(h.inboxes[3]!).entries = h.inboxes[3]!.entries.slice(0, -1)
  }),
  mutation('[P16] two nodes number the events of two conversations in another order', (h) => {
    const entries = [...h.inboxes[0]!.entries]
    const at = entries.findIndex(({ conv }, i) => conv !== entries[i + 1]?.conv)
    const [one, other] = [entries[at]!, entries[at + 1]!]
    entries[at] = { ...other, inbox: one.inbox }
    entries[at + 1] = { ...one, inbox: other.inbox }
    mutable(h.inboxes[0]!).entries = entries
  }),
  mutation('[P4] a seq is missing everywhere', (h) => {
    for (const events of finalsOf(h, 'c2')) events.splice(1, 1)
  }),
  mutation('[P4] a page has a hole', (h) => {
    firstRead(h, ({ events }) => events.length > 2).events.splice(1, 1)
  }),
  mutation('[P4] a page repeats an event', (h) => {
    const { events } = firstRead(h, (read) => read.events.length > 1)
    events.splice(1, 0, events[0]!)
  }),
  mutation('[P4] a page starts too late', (h) => {
    firstRead(h, ({ events }) => events.length > 2).events.shift()
  }),
  mutation('[P4] a page says that it goes further than it does', (h) => {
    firstRead(h, ({ events }) => events.length > 1).upTo += 1
  }),
  mutation('[P4] ord counts wrong', (h) => {
    for (const events of finalsOf(h, 'c1')) forge(h, events, 2, { ord: events[2]!.ord + 1 })
  }),
  mutation('[P4] time falls', (h) => {
    for (const events of finalsOf(h, 'c1')) forge(h, events, 2, { at: -1 })
  }),

  mutation('[P5] two messages of one device stand the wrong way round', (h) => {
    const [a, b] = twoOf(h, (x, y) => x.device === y.device && x.conv === y.conv)
    ;[a.order, b.order] = [b.order, a.order]
  }),
  mutation('[P5] a message that was never acknowledged stands too early', (h) => {
    const [a, b] = twoOf(h, (x, y) => x.device === y.device && x.conv === y.conv)
    a.acked = b.acked = null
    ;[a.order, b.order] = [b.order, a.order]
  }),

  mutation('[P6] a linearizable read does not show what was acknowledged before', (h) => {
    const read = h.reads.findLast(({ linearizable }) => linearizable)!
    const send = h.acknowledged.find(
      ({ conv, ackedAt }) => conv === read.conv && ackedAt < read.asked,
    )!
    shorten(mutable(read), send.acked! - 1)
  }),
  mutation('[P6] a linearizable read does not show what another read did', (h) => {
    const reads = h.reads.filter(({ linearizable }) => linearizable)
    const last = reads.findLast(({ conv, upTo, asked }) =>
      reads.some((one) => one.conv === conv && one.answered < asked && one.upTo > 1 && upTo > 1),
    )!
    for (const send of h.sends) if (send.conv === last.conv) mutable(send).ackedAt = Infinity
    h.pushes.splice(0)
    shorten(mutable(last), 1)
  }),
  mutation('[P6] a write takes a place before one that had ended', (h) => {
    const [a, b] = twoOf(h, (x, y) => x.conv === y.conv && x.acked! < y.acked!)
    a.invoked = b.ackedAt + 1
    a.ackedAt = b.ackedAt + 2
  }),
  mutation('[P6] a read shows what is written only later', (h) => {
    const read = firstRead(
      h,
      ({ linearizable, events }) => linearizable && events.some(({ kind }) => kind === 'message'),
    )
    const { msgId, from } = read.events.findLast(({ kind }) => kind === 'message')!
    const send = firstSend(h, (one) => one.msgId === msgId && one.user === from)
    send.invoked = read.answered + 1
    if (send.ackedAt !== Infinity) send.ackedAt = Math.max(send.ackedAt, send.invoked + 1)
  }),

  mutation('[P7] a message that nobody sent', (h) => {
    const events = finalsOf(h, 'c1')[0]!
    forge(h, events, events.length - 1, { msgId: 'nobody-1' })
  }),
  mutation('[P7] a message whose sender was refused', (h) => {
    firstSend(h, ({ acked }) => acked !== null).refused = 'NOT_MEMBER'
  }),
  mutation('[P7] a body that differs from what was sent', (h) => {
    firstSend(h, ({ acked }) => acked !== null).body += '!'
  }),
  mutation('[P7] a message that is shown before it was sent', (h) => {
    const event = h.pushes.find((push) => push.event?.kind === 'message')!.event!
    const send = firstSend(h, ({ msgId, conv }) => msgId === event.msgId && conv === event.conv)
    send.invoked = event.shown + 1
  }),
  mutation('[P7] a reply to something else', (h) => {
    firstSend(h, ({ replyTo, acked }) => replyTo !== null && acked !== null).replyTo! += 1
  }),

  mutation('[P8] a message stands before the one it follows', (h) => {
    const [a, b] = twoOf(
      h,
      (x, y) => x.device === y.device && x.conv === y.conv && x.acked! < y.acked!,
    )
    a.prev = b.msgId
  }),
  mutation('[P8] a message was taken before the one it follows', (h) => {
    const send = firstSend(h, ({ acked }) => acked !== null)
    send.prev = 'never-taken'
  }),
  mutation('[P8] a reply stands before what it replies to', (h) => {
    const send = firstSend(h, ({ acked }) => acked !== null)
    send.replyTo = send.acked
  }),
  mutation('[P8] a message stands before what its device had been shown', (h) => {
    for (const read of h.reads) {
      const send = h.acknowledged.find(
        ({ device, conv, acked }) =>
          device === read.device && conv === read.conv && acked! <= (read.events.at(-1)?.seq ?? 0),
      )
      if (send !== undefined) mutable(send).invoked = read.answered + 1
    }
  }),

  mutation('[P9] another body is taken under the same key', (h) => {
    const send = firstSend(h, ({ verdicts }) => verdicts.some(({ forged }) => forged))
    Object.assign(
      send.verdicts.find(({ forged }) => forged)!,
      { refused: null, seq: 4 },
    )
  }),
  mutation('[P9] a copy is answered with another time', (h) => {
    const { verdicts } = firstSend(h, (send) => accepted(send).length > 1)
    mutable(verdicts.findLast(({ seq }) => seq !== null)!).at! += 1
  }),
  mutation('[P9] an accepted key is refused later', (h) => {
    h.refuse(
      firstSend(h, ({ acked }) => acked !== null),
      'NOT_MEMBER',
    )
  }),
  mutation('[P9] a refused key is accepted later', (h) => {
    const send = firstSend(h, ({ refused }) => refused !== null)
    h.accept(send, { seq: 2, duplicate: false, mark: 'epoch.z' })
  }),
  mutation('[P9] a key past the window is taken for new', (h) => {
    const send = firstSend(h, ({ acked }) => acked !== null)
    const { seq, at, ord, mark } = send.verdicts.find((verdict) => verdict.seq !== null)!
    h.refuse(send, 'WINDOW_EXPIRED')
    h.accept(send, { seq, at, ord, mark, duplicate: false })
  }),
  mutation('[P9] one key of two devices has two places', (h) => {
    const [a, b] = twoOf(
      h,
      (x, y) => x.user === y.user && x.conv === y.conv && x.device !== y.device,
    )
    a.msgId = b.msgId
  }),

  mutation('[P11] a push comes twice', (h) => {
    h.pushes.push({ ...lastPush(h) })
  }),
  mutation('[P11] two pushes of a session are swapped', (h) => {
    const at = h.pushes.findIndex((one, i) =>
      h.pushes.slice(i + 1).some((other) => isSameStream(one, other)),
    )
    const other = h.pushes.findIndex((one, i) => i > at && isSameStream(one, h.pushes[at]!))
    ;[h.pushes[at], h.pushes[other]] = [h.pushes[other]!, h.pushes[at]!]
  }),

  mutation('[P12] a mark goes back', (h) => {
    lastPush(h).mark = 'epoch.0'
  }),
  mutation('[P12] a mark of another epoch', (h) => {
    const { mark } = lastPush(h)
    lastPush(h).mark = `other.${mark!.split('.')[1]}`
  }),
  mutation('[P12] state is shown without a mark', (h) => {
    mutable(h.reads[0]!).mark = null
  }),
  mutation('[P12] an answer without a mark', (h) => {
    mutable(accepted(h.acknowledged[0]!)[0]!).mark = null
  }),
  mutation('[P12] a read shows less than its mark stands for', (h) => {
    const read = h.reads.findLast((one) => !one.linearizable && one.events.length > 1)!
    mutable(read).rests = read.mark
    shorten(mutable(read), read.upTo - 1)
    h.push(
      { ...read, device: 'device-9', session: 1 },
      { ...finalsOf(h, read.conv)[0]![read.upTo]! },
    )
  }),

  mutation('[P13] a device does not find its own write', (h) => {
    const { read, send } = ownRead(h)
    shorten(read, send.acked! - 1)
  }),
  mutation('[P13] a device finds something else in place of its own write', (h) => {
    const { read, send } = ownRead(h)
    const at = read.events.findIndex(({ seq }) => seq === send.acked)
    forge(h, read.events, at, { msgId: 'other-1' })
  }),

  mutation('[P14] a stream skips an event', (h) => {
    h.deliveries.splice(deliveredBetween(h), 1)
  }),
  mutation('[P14] a stream hands an event over twice', (h) => {
    const at = deliveredBetween(h)
    h.deliveries.splice(at, 0, h.deliveries[at]!)
  }),
  mutation('[P14] a stream goes back', (h) => {
    h.deliveries.push(h.deliveries[deliveredBetween(h)]!)
  }),

  mutation('[R10] no leader after the faults', (h) => {
    recoveryOf(h).leaderMs = null
  }),
  mutation('[R10] a leader long after the faults', (h) => {
    recoveryOf(h).leaderMs = 1_000 + 50 * 241
  }),
  mutation('[R10] writes that are never settled', (h) => {
    recoveryOf(h).settledMs = null
  }),
  mutation('[R10] nodes that are never equal', (h) => {
    recoveryOf(h).equalMs = null
  }),
  mutation('[R10] a node that stays behind', (h) => {
    recoveryOf(h).positions[1]!.applied -= 1
  }),
  mutation('[R10] a node with another state', (h) => {
    recoveryOf(h).positions[1]!.stateHash = 'abd'
  }),
  mutation('[R10] a node with another configuration', (h) => {
    recoveryOf(h).positions[2]!.voters = ['1', '2']
  }),

  mutation('[R19] a run in which nothing was acknowledged', (h) => {
    h.acknowledgedCount = 0
  }),
  mutation('[R19] linearizable reads that all failed', (h) => {
    h.asked.linearizable = 100
    for (const read of h.reads) mutable(read).linearizable = false
  }),
  mutation('[R19] replies that all failed', (h) => {
    for (const send of h.sends) {
      mutable(send).replyTo ??= 1
      mutable(send).acked = null
    }
  }),
  mutation('[R19] a fault without effect', (h) => {
    h.fault('isolate', { injected: 30, evident: 0 })
  }),
]

function mutation(title: string, make: (history: History) => void): Mutation {
  const property = /^\[(\w+)\]/.exec(title)![1] as Property
  return { property, title, make }
}

const accepted = ({ verdicts }: Pick<SendRecord, 'verdicts'>) =>
  verdicts.filter(({ seq, forged }) => seq !== null && !forged)

const isSameStream = (a: PushRecord, b: PushRecord): boolean =>
  a.device === b.device && a.session === b.session && a.conv === b.conv && a.seq !== b.seq

/** A read by a device that shows a write of its own, acknowledged before. */
function ownRead(history: History) {
  for (const read of history.reads) {
    const send = history.acknowledged.find(
      ({ device, conv, acked, ackedAt }) =>
        device === read.device &&
        conv === read.conv &&
        ackedAt < read.asked &&
        read.events.some(({ seq }) => seq === acked),
    )
    if (send !== undefined) return { read: mutable(read), send }
  }
  throw new Error('no read of this history shows a write of its own device')
}

describe('the judges of a history', () => {
  test('pass every sound history', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 40, max: 300 }), (seed, steps) => {
        expect(check(soundHistory(seed, steps))).toEqual([])
      }),
      { numRuns: 100, seed: 3 },
    )
  })

  test.each(MUTATIONS.map((one) => [one.title, one] as const))('%s', (_, { property, make }) => {
    for (let seed = 1; seed <= 8; seed++) {
      const history = soundHistory(seed, 240)
      expect(CHECKERS[property](history)).toEqual([])
      make(history)
      const found = CHECKERS[property](history)
      expect(found.map((one) => one.property)).toContain(property)
      // Says where and what, in words.
      expect(found[0]!.message).toMatch(/\w{2,} .*\w/)
    }
  })

  test('each has a mutation', () => {
    const mutated = new Set(MUTATIONS.map(({ property }) => property))
    expect(Object.keys(CHECKERS).filter((id) => !mutated.has(id as Property))).toEqual([])
  })
})
