// The SDK's store on databases that lose what was under way at a crash, and that rot.
import { afterEach, describe, expect, test } from 'vitest'
import type { StoreChange, StoreContents } from '#client'
import { DurableStore, type StoreOptions } from '#client/store'
import { EMPTY_SESSION } from '../../client/store/client-store.ts'
import { describeStore, eventOf, messageOf } from '../../client/store/store.contract.ts'
import type { Prng } from '../prng.ts'
import { openSdkDatabase } from './sdk-database.ts'
import { TestWorld } from './testing/test-world.ts'

const worlds: TestWorld[] = []
const world = (seed: number | string): TestWorld => {
  const made = new TestWorld(seed)
  worlds.push(made)
  return made
}
afterEach(() => {
  for (const one of worlds.splice(0)) one.end()
})

const storeOf = (on: TestWorld, options: Partial<StoreOptions> = {}): DurableStore => {
  const databases = on.databases.portOf(on.process)
  return new DurableStore(() => openSdkDatabase(databases, '/phone'), options)
}

describeStore('DurableStore over simulated databases', async (limits) => {
  const on = world(1)
  return { next: () => storeOf(on, limits) }
})

/** Like those of a client: some messages come, change and go, a cursor moves, an epoch ends. */
function changeOf(prng: Prng, n: number): StoreChange {
  const conv = `g_${prng.below(4)}`
  const session = { user: 'ann', epoch: `e${n >> 4}`, mark: `${n}`, inbox: n, lastId: n }
  if (prng.chance(0.5)) return { put: [messageOf(n), messageOf(n + 1000)], session }
  if (prng.chance(0.5)) return { remove: [`phone_${n - 1}`, `phone_${n - prng.below(9)}`], session }
  if (prng.chance(0.1)) return { forgetCursors: true, put: [messageOf(n - 2)], session }
  if (prng.chance(0.3)) {
    return { events: [eventOf(conv, n)], dropEvents: [{ conv, seq: n - 1 - prng.below(6) }] }
  }
  const place = { number: n, slot: n % 3, epoch: 'e', conv, seq: n, msgId: `phone_${n}` }
  if (prng.chance(0.3)) return { places: [place] }
  return { cursors: [{ conv, delivered: n, inHand: prng.chance(0.5) ? n + 1 : null }] }
}

/** What a store holds after the first changes: as `StoreChange` says, in the plainest way. */
function after(changes: readonly StoreChange[]): string {
  const messages = new Map<string, StoreContents['messages'][number]>()
  const cursors = new Map<string, StoreContents['cursors'][number]>()
  const events = new Map<string, StoreContents['events'][number]>()
  const places = new Map<number, StoreContents['places'][number]>()
  let session: StoreContents['session'] = EMPTY_SESSION
  for (const change of changes) {
    for (const msgId of change.remove ?? []) messages.delete(msgId)
    for (const message of change.put ?? []) messages.set(message.msgId, message)
    if (change.forgetCursors === true) {
      cursors.clear()
      events.clear()
    }
    for (const cursor of change.cursors ?? []) cursors.set(cursor.conv, cursor)
    for (const { conv, seq } of change.dropEvents ?? []) events.delete(`${conv} ${seq}`)
    for (const event of change.events ?? []) events.set(`${event.conv} ${event.seq}`, event)
    for (const place of change.places ?? []) places.set(place.slot, place)
    session = change.session ?? session
  }
  return textOf({
    messages: [...messages.values()],
    cursors: [...cursors.values()],
    events: [...events.values()],
    places: [...places.values()],
    session,
  })
}

/** Messages have an order; of the others there is none. */
function textOf({ messages, cursors, events, places, session }: StoreContents): string {
  const sorted = (values: readonly object[]) => values.map(canonical).sort()
  return JSON.stringify([
    messages.map(canonical),
    sorted(cursors),
    sorted(events),
    sorted(places),
    canonical(session),
  ])
}

/** The same for the same fields, whatever order they were set in. */
function canonical(value: object): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

describe('a crash', () => {
  test('[ST2] leaves all that was acknowledged, and of the rest the oldest changes, each whole', async () => {
    let [lost, survived] = [0, 0]
    for (let seed = 0; seed < 40; seed++) {
      const on = world(`crash ${seed}`)
      const prng = on.prng.split('changes')
      const changes: StoreChange[] = []
      for (let life = 0; life < 4; life++) {
        const store = storeOf(on)
        await store.open('phone')
        let acknowledged = changes.length
        for (let n = prng.below(20); n >= 0; n--) {
          const count = changes.push(changeOf(prng, changes.length + 1))
          const written = store.write(changes.at(-1)!)
          // A dead process hears nothing any more.
          written.then(
            () => (acknowledged = count),
            () => {},
          )
          if (prng.chance(0.3)) await written
        }
        // At some moment of the writing.
        await new Promise<void>((resolve) => {
          on.scheduler.after(prng.float() * 4, null, () => {
            on.crash('kill')
            resolve()
          })
        })
        const found = storeOf(on)
        const contents = textOf(await found.open('phone'))
        await found.close()
        let kept = changes.length
        while (after(changes.slice(0, kept)) !== contents) {
          kept -= 1
          if (kept < acknowledged) throw new Error(`seed ${seed}: holds what it never was`)
        }
        lost += changes.length - kept
        survived += kept - acknowledged
        changes.splice(kept)
      }
    }
    // Both ways of ending were seen.
    expect(lost).toBeGreaterThan(20)
    expect(survived).toBeGreaterThan(0)
  })
})

describe('rot', () => {
  test('[ST5] of any pair is named, or takes the newest batch back as a whole; it is never believed', async () => {
    const seen = { named: 0, older: 0, same: 0 }
    for (let seed = 0; seed < 80; seed++) {
      const on = world(`rot ${seed}`)
      const prng = on.prng.split('changes')
      const changes: StoreChange[] = []
      const store = storeOf(on)
      await store.open('phone')
      for (let n = 1; n <= 12; n++) {
        changes.push(changeOf(prng, n))
        await store.write(changes.at(-1)!)
      }
      await store.close()
      expect(on.databases.rot()).not.toBeNull()
      const found = storeOf(on)
      const opened = await found.open('phone').catch((error: { code: string; message: string }) => {
        expect(error.code).toBe('STORE_DAMAGED')
        return null
      })
      if (opened === null) {
        seen.named += 1
        const rest = storeOf(on, { damaged: 'setAside' })
        const { messages } = await rest.open('phone')
        expect(rest.damage.length).toBeGreaterThan(0)
        const whole = after(changes)
        for (const message of messages) {
          expect(whole).toContain(JSON.stringify(canonical(message)))
        }
        await rest.close()
        continue
      }
      const contents = textOf(opened)
      const isWhole = contents === after(changes)
      if (!isWhole) expect(contents).toEqual(after(changes.slice(0, -1)))
      seen[isWhole ? 'same' : 'older'] += 1
      await found.close()
    }
    expect(seen.named).toBeGreaterThan(40)
    expect(seen.older).toBeGreaterThan(3)
    // A batch that changed nothing is not missed.
    expect(seen.same).toBeLessThan(8)
  })
})
