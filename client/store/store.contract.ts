import { describe, expect, test } from 'vitest'
import { encodeBody } from '../protocol/body-codec.ts'
import { encodePlainFrame } from '../protocol/plain-frame.ts'
import {
  EMPTY_SESSION,
  type ClientStore,
  type StoredEvent,
  type StoredMessage,
} from './client-store.ts'
import type { StoreLimits } from './store-index.ts'

/** Stores over one and the same place: each `next` is opened after the one before was closed. */
export interface StorePlace {
  next(): ClientStore
}

export const messageOf = (n: number, more: Partial<StoredMessage> = {}): StoredMessage => ({
  msgId: `phone_${n}`,
  conv: 'g_team',
  to: null,
  body: encodeBody({ n, bytes: new Uint8Array([n & 255, 255]) }),
  replyTo: null,
  large: false,
  change: null,
  prev: n === 1 ? null : `phone_${n - 1}`,
  state: 'queued',
  since: null,
  place: null,
  ...more,
})

export const eventOf = (conv: string, seq: number, body: unknown = seq): StoredEvent => {
  const event = {
    seq,
    kind: 'message',
    ord: seq,
    msgId: `bob-${seq}`,
    from: 'bob',
    device: 'pc',
  } as const
  return {
    conv,
    seq,
    frame: encodePlainFrame({ t: 'msg:N', conv, ...event, at: 5, body: encodeBody(body) }),
  }
}

const EMPTY = { messages: [], cursors: [], events: [], places: [], session: EMPTY_SESSION }

/** What every `ClientStore` promises. `place` makes a new, empty one each time. */
export function describeStore(
  name: string,
  place: (limits?: Partial<StoreLimits>) => Promise<StorePlace>,
): void {
  const openedAt = async (at: StorePlace) => {
    const store = at.next()
    return { store, contents: await store.open('phone') }
  }
  const reopened = async (at: StorePlace, store: ClientStore) => {
    await store.close()
    return openedAt(at)
  }

  describe(`${name} as a store`, () => {
    test('[ST1] what was written is found by the next, in the order of the first put', async () => {
      const at = await place()
      const { store, contents } = await openedAt(at)
      expect(contents).toEqual(EMPTY)
      const change = { kind: 'reaction', seq: 3, reaction: '👍', on: true } as const
      const sent = messageOf(2, { state: 'sent', since: 77, replyTo: 4, large: true })
      const storedAt = { conv: 'g_team', seq: 9 }
      const answered = messageOf(4, { state: 'answered', since: 78, place: storedAt })
      await store.write({ put: [messageOf(1), messageOf(2)] })
      await store.write({ put: [messageOf(3, { conv: null, to: 'bob', prev: null })] })
      await store.write({ put: [sent] })
      await store.write({ put: [messageOf(4), messageOf(5, { change })] })
      await store.write({ put: [answered] })
      const session = { user: 'ann', epoch: 'e1', mark: 'e1:5', inbox: 7, lastId: 1 }
      await store.write({ session, cursors: [{ conv: 'g_team', delivered: 4, inHand: 5 }] })
      const after = await reopened(at, store)
      expect(after.contents).toEqual({
        messages: [
          ...[messageOf(1), sent, messageOf(3, { conv: null, to: 'bob', prev: null })],
          answered,
          messageOf(5, { change }),
        ],
        cursors: [{ conv: 'g_team', delivered: 4, inHand: 5 }],
        events: [],
        places: [],
        session,
      })
      await after.store.close()
    })

    test('[ST1] many messages keep their order over removals and openings', async () => {
      const at = await place()
      let { store } = await openedAt(at)
      for (let n = 1; n <= 30; n++) void store.write({ put: [messageOf(n)] })
      for (let n = 1; n <= 30; n += 2) void store.write({ remove: [`phone_${n}`] })
      ;({ store } = await reopened(at, store))
      await store.write({ put: [messageOf(31)], remove: ['phone_2', 'nobody'] })
      const { contents, store: last } = await reopened(at, store)
      const evens = Array.from({ length: 14 }, (_, i) => `phone_${2 * i + 4}`)
      expect(contents.messages.map(({ msgId }) => msgId)).toEqual([...evens, 'phone_31'])
      await last.close()
    })

    test('[ST2] one change is whole: messages, cursors and session together', async () => {
      const at = await place()
      const { store } = await openedAt(at)
      const cursor = (conv: string) => ({ conv, delivered: 1, inHand: null })
      await store.write({ put: [messageOf(1)], cursors: [cursor('a'), cursor('b')] })
      const session = { user: 'ann', epoch: 'e2', mark: null, inbox: null, lastId: 7 }
      const put = [messageOf(2)]
      const cursors = [cursor('c')]
      await store.write({ put, remove: ['phone_1'], session, forgetCursors: true, cursors })
      const { contents, store: last } = await reopened(at, store)
      expect(contents).toEqual({ messages: put, cursors, events: [], places: [], session })
      await last.close()
    })

    test('[ST1] [ST2] events that it keeps come, are replaced, go, and go with an epoch', async () => {
      const at = await place()
      const first = await openedAt(at)
      if (!first.store.keepsEvents) return first.store.close()
      await first.store.write({ events: [eventOf('g/1', 1), eventOf('g/1', 2), eventOf('h', 2)] })
      await first.store.write({
        events: [eventOf('g/1', 2, 'edited')],
        dropEvents: [{ conv: 'h', seq: 2 }],
      })
      await first.store.write({ dropEvents: [{ conv: 'h', seq: 9 }] })
      const second = await reopened(at, first.store)
      expect(second.contents.events).toEqual([eventOf('g/1', 1), eventOf('g/1', 2, 'edited')])
      await second.store.write({ forgetCursors: true, events: [eventOf('h', 5)] })
      const third = await reopened(at, second.store)
      expect(third.contents.events).toEqual([eventOf('h', 5)])
      await third.store.close()
    })

    test('[ST1] places come, take the slot of an earlier one, and go', async () => {
      const at = await place()
      const { store } = await openedAt(at)
      const placeOf = (number: number) => {
        return {
          number,
          slot: number % 2,
          epoch: 'e1',
          conv: 'c',
          seq: number,
          msgId: `m${number}`,
        }
      }
      await store.write({ places: [placeOf(1), placeOf(2), placeOf(3)] })
      const second = await reopened(at, store)
      const { places } = second.contents
      expect(places.toSorted((one, other) => one.number - other.number)).toEqual([
        ...[placeOf(2), placeOf(3)],
      ])
      await second.store.write({ dropPlaces: [placeOf(2)] })
      const third = await reopened(at, second.store)
      expect(third.contents.places).toEqual([placeOf(3)])
      await third.store.close()
    })

    test('[ST3] full, it refuses before anything changed, and takes again when there is room', async () => {
      const at = await place({ maxMessages: 3, maxCursors: 1 })
      const { store } = await openedAt(at)
      for (let n = 1; n <= 3; n++) await store.write({ put: [messageOf(n)] })
      const full = expect.objectContaining({ code: 'OUTBOX_FULL', outcome: 'notApplied' })
      expect(() => store.write({ put: [messageOf(4)] })).toThrow(full)
      // What it promised may still change and go.
      await store.write({ put: [messageOf(2, { state: 'sent', since: 9 })] })
      await store.write({ remove: ['phone_1'] })
      await store.write({ put: [messageOf(4)] })
      await store.write({ cursors: [{ conv: 'a', delivered: 1, inHand: null }] })
      expect(() => store.write({ cursors: [{ conv: 'b', delivered: 1, inHand: null }] })).toThrow(
        expect.objectContaining({ code: 'STORE_FULL' }),
      )
      await store.write({ cursors: [{ conv: 'a', delivered: 2, inHand: null }] })
      const { contents, store: last } = await reopened(at, store)
      expect(contents.messages.map(({ msgId }) => msgId)).toEqual(['phone_2', 'phone_3', 'phone_4'])
      expect(contents.cursors).toEqual([{ conv: 'a', delivered: 2, inHand: null }])
      await last.close()
    })

    test('[ST3] bytes are bounded too, over openings', async () => {
      const at = await place({ maxBytes: 25_000 })
      const big = (n: number) => messageOf(n, { body: encodeBody('x'.repeat(10_000)) })
      const first = await openedAt(at)
      await first.store.write({ put: [big(1), big(2)] })
      const { store } = await reopened(at, first.store)
      expect(() => store.write({ put: [big(3)] })).toThrow(/25000 bytes/)
      await store.write({ put: [messageOf(1)] })
      await store.write({ put: [big(3)] })
      await store.close()
    })

    test('[ST4] it is one device’s', async () => {
      const at = await place()
      const { store } = await openedAt(at)
      await store.write({ put: [messageOf(1)] })
      await store.close()
      const other = at.next()
      await expect(other.open('tablet')).rejects.toMatchObject({
        code: 'STORE_MISMATCH',
        message: expect.stringContaining('phone') as string,
      })
      const { contents, store: last } = await openedAt(at)
      expect(contents.messages).toEqual([messageOf(1)])
      await last.close()
    })
  })
}
