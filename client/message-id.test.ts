import { describe, expect, test } from 'vitest'
import { messageIds, type IdStrategy } from './message-id.ts'
import { MemoryStore } from './store/memory-store.ts'
import { Harness } from './testing/harness.ts'
import { SeededRandom } from './testing/virtual-clock.ts'

const T0 = 1_764_000_000_000

/** Ids of a device whose clock stands where it is put. */
function idsOf(strategy: IdStrategy, device = 'phone', seed = 1) {
  const clock = { nowMs: T0 }
  const port = {
    wallMs: () => clock.nowMs,
    monotonicMs: () => clock.nowMs,
    after: () => ({ cancel: () => {} }),
    defer: () => {},
  }
  return { clock, ids: messageIds(strategy, device, port, new SeededRandom(seed)) }
}

const SHAPES = {
  composite: /^phone_\d+_\d{13}$/,
  uuidv4: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  snowflake: /^\d{19}$/,
  ulid: /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/,
} as const
const STRATEGIES = Object.keys(SHAPES) as (keyof typeof SHAPES)[]

describe.each(STRATEGIES)('%s', (strategy) => {
  test('[M-37] [ID1] a million are unique, whatever the clock does; those with a time sort by it', () => {
    const { clock, ids } = idsOf(strategy)
    const made = new Set<string>()
    let last = ''
    const falls: string[] = []
    for (let n = 0; n < 1_000_000; n++) {
      // 10,000 in a millisecond is more than fit into one; now and then the clock is set back.
      if (n % 10_000 === 0) clock.nowMs += n % 200_000 === 0 ? -50 : 7
      const id = ids.next()
      if (id <= last) falls.push(id)
      last = id
      made.add(id)
    }
    expect(made.size).toBe(1_000_000)
    expect(last).toMatch(SHAPES[strategy])
    if (strategy === 'snowflake' || strategy === 'ulid') expect(falls).toEqual([])
  })

  test('[ID2] after a restart with the store, none is made again, with the clock set back too', () => {
    const first = idsOf(strategy)
    const made = new Set(Array.from({ length: 5000 }, () => first.ids.next()))
    const second = idsOf(strategy, 'phone', strategy === 'uuidv4' ? 2 : 1)
    second.clock.nowMs = T0 - 1000
    second.ids.state = first.ids.state
    for (let n = 0; n < 5000; n++) made.add(second.ids.next())
    expect(made.size).toBe(10_000)
  })
})

test('[M-37] [ID3] the bits are where the literature has them', () => {
  const { ids } = idsOf('snowflake')
  const id = BigInt(ids.next())
  expect(Number(id >> 22n) + 1_288_834_974_657).toBe(T0)
  expect(BigInt(ids.next()) - id).toBe(1n)
  expect((id >> 12n) & 1023n).not.toBe(
    (BigInt(idsOf('snowflake', 'tablet').ids.next()) >> 12n) & 1023n,
  )
  const ulid = idsOf('ulid').ids.next()
  const base32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  const time = Array.from(ulid.slice(0, 10)).reduce(
    (sum, digit) => sum * 32 + base32.indexOf(digit),
    0,
  )
  expect(time).toBe(T0)
})

test('[ID4] the client makes them as it was told, and keeps the counter in the store', async () => {
  const harness = new Harness()
  harness.cluster.group('team', 'alice')
  const store = new MemoryStore()
  const counters: number[] = []
  for (let life = 0; life < 3; life++) {
    const chat = await harness.connect('alice', { store })
    const { msgId, sent } = chat.conversation('team').send(1)
    counters.push(Number(/^alice-phone_(\d+)_\d+$/.exec(msgId)![1]))
    await harness.within(100, sent)
    chat.close()
    await chat.closed
  }
  expect(counters).toEqual([counters[0], counters[0]! + 1, counters[0]! + 2])
  let made = 0
  for (const idStrategy of [...STRATEGIES.slice(1), () => `mine-${++made}`] as IdStrategy[]) {
    const chat = await harness.connect('alice', { idStrategy })
    const { msgId, sent } = chat.conversation('team').send(1)
    expect(msgId).toMatch(typeof idStrategy === 'function' ? /^mine-1$/ : SHAPES[idStrategy])
    await harness.within(100, sent)
    chat.close()
  }
  await expect(
    harness.connect('alice', { idStrategy: 'guess' as IdStrategy }),
  ).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
  const chat = await harness.connect('alice', { idStrategy: () => 'no spaces' })
  expect(() => chat.conversation('team').send(1)).toThrow(/msgId/)
  chat.close()
})
