import { expect, test } from 'vitest'
import type { Capture, NodeCapture } from '../doctor/capture.ts'
import { capacityOf, type Counted } from './capacity.ts'
import { capacityText } from './capacity-text.ts'

const NOW_MS = Date.parse('2026-01-01T00:00:00Z')
const MIB = 2 ** 20
const NAMES = ['n1', 'n2', 'n3']

interface Looked {
  readonly messages: number
  readonly logged: number
  readonly store: number
}

const metrics = ({ messages, logged, store }: Looked): string => `
parley_messages_applied_total ${messages}
parley_log_entry_bytes_total ${logged}
parley_store_bytes ${store}
parley_log_bytes ${64 * MIB}
process_resident_memory_bytes ${100 * MIB}
process_open_fds 100
process_max_fds 100000
`

interface Twist {
  readonly before?: Looked
  readonly freeBytes?: number
  readonly sessions?: number
  readonly role?: string
}

const BEFORE = { messages: 1_000, logged: 400_000, store: MIB }
const NOW = { messages: 2_000, logged: 700_000, store: MIB }

/** A cluster that wrote 1,000 messages of 300 bytes each in 10 s, but for what is said of single nodes. */
function capture(twists: Record<string, Twist | null> = {}, now = NOW): Capture {
  const members = NAMES.map((name) => {
    const role = twists[name]?.role ?? 'voter'
    return { name, role, url: `http://${name}:1`, id: name, state: 'follower', contactMs: 1 }
  })
  const nodes = NAMES.map((name): NodeCapture => {
    const url = `http://${name}:1`
    const twist = twists[name]
    if (twist === null) {
      const answer = { view: null, failure: 'silent', detail: 'ECONNREFUSED' } as const
      return { url, answer, metrics: null, metricsBefore: null, self: null, missing: [] }
    }
    const { before = BEFORE, freeBytes = 1_536 * MIB, sessions = 10 } = twist ?? {}
    const view = {
      ...{ clusterId: 'c', epoch: 'e', node: name, leader: 'n1', term: 1, commit: 9, applied: 9 },
      ...{ ready: true, reasons: [], members, sessions },
      disk: { freeBytes, sizeBytes: 4_096 * MIB },
    }
    return {
      url,
      answer: { view, askedAtMs: NOW_MS, tookMs: 1 },
      metricsBefore: metrics(before),
      metrics: metrics(now),
      self: {
        settings: { disk: { lowBytes: 512 * MIB }, gateway: { maxConnections: 5_000 } },
        machine: { freeMemoryBytes: 4_096 * MIB },
      },
      missing: [],
    }
  })
  return { schema: 1, takenAtMs: NOW_MS, sampledMs: 10_000, nodes }
}

/** 1 GiB is left, at 100 messages of 300 bytes a second, each byte 1.4 times. */
const FULL_AT_MS = Math.round(NOW_MS + ((1_024 * MIB) / (100 * 300 * 1.4)) * 1_000)

test('what is written in the window, for how long there is room for it, and for how many sessions', () => {
  const capacity = capacityOf(capture())
  expect(capacity).toMatchObject({ windowMs: 10_000, messagesPerSecond: 100 })
  expect(capacity.writesStopAtMs).toBe(FULL_AT_MS)
  expect(capacity.nodes).toMatchObject(
    NAMES.map((name) => ({
      ...{ name, loggedPerMessage: 300, keptPerMessage: 420, fullAtMs: FULL_AT_MS },
      ...{ moreSessions: 4_990, sessionLimit: 'maxConnections', roomBytes: 1_024 * MIB },
    })),
  )
  const text = capacityText(capacity, { ceiling: 400, usedShare: 0.25 })
  expect(text).toContain(
    '100 messages/s over 10s · writes stop for want of room on 2026-01-01 (in 7h',
  )
  expect(text).toMatch(/^n1 +100 +300 B +420 B +65\.0 MiB +1\.5 GiB +on 2026-01-01 \(in 7h6m\)/m)
  expect(text).toContain('ceiling 400/s, as it was measured: 25 % of it is used')
})

test('a store that grew enough tells itself what a message takes', () => {
  const grown = { ...NOW, store: 65 * MIB }
  expect(capacityOf(capture({}, grown)).nodes[0]).toMatchObject({
    keptPerMessage: Math.round((64 * MIB) / 1_000),
  })
})

test('writes stop when a majority has no room, not when one has none', () => {
  const stop = (twists: Record<string, Twist | null>) => capacityOf(capture(twists)).writesStopAtMs
  const full = { freeBytes: 512 * MIB }
  const large = { freeBytes: 100 * 1_024 * MIB }
  expect(stop({ n1: full })).toBe(FULL_AT_MS)
  expect(stop({ n1: full, n2: full, n3: large })).toBe(NOW_MS)
  expect(stop({ n1: large })).toBe(FULL_AT_MS)
  expect(stop({ n1: large, n2: large })! > FULL_AT_MS).toBe(true)
  expect(stop({ n1: null, n2: large })).toBe(FULL_AT_MS)
  expect(stop({ n1: null, n2: null })).toBeNull()
  // Who does not vote counts for nothing.
  expect(stop({ n3: { ...large, role: 'learner' } })).toBe(FULL_AT_MS)
})

test('an earlier look makes a longer window, but not over a restart', () => {
  const earlier: Counted = {
    ...{ atMs: NOW_MS - 1_000_000, messages: 0, loggedBytes: 0 },
    ...{ storeBytes: 0, logBytes: 0 },
  }
  const since = (of: Record<string, Counted>) =>
    capacityOf(capture(), { since: new Map(Object.entries(of)) })
  expect(since({ n1: earlier })).toMatchObject({ windowMs: 1_000_000, messagesPerSecond: 2 })
  expect(since({ n1: earlier }).nodes[1]).toMatchObject({ messagesPerSecond: null })
  for (const unusable of [
    { ...earlier, messages: 9_000 },
    { ...earlier, loggedBytes: 1e9 },
    { ...earlier, atMs: NOW_MS + 1 },
  ]) {
    const capacity = since({ n1: unusable })
    expect(capacity).toMatchObject({ windowMs: null, messagesPerSecond: null })
    expect(capacityText(capacity, null)).toMatch(/^how much is written is not known/)
  }
})

test('where next to nothing is written nothing is foretold', () => {
  const idle = capacityOf(capture({}, BEFORE))
  expect(idle).toMatchObject({ messagesPerSecond: 0, writesStopAtMs: null })
  expect(capacityText(idle, null)).toMatch(/^0 messages\/s over 10s · too few to tell when/)
  const few = capacityOf(capture({}, { ...BEFORE, messages: 1_001, logged: 900_000 }))
  expect(few.nodes[0]).toMatchObject({ messagesPerSecond: 0.1, keptPerMessage: null })
})
